"""The looks of the page around the viewer: paper and ink, and the two ends of cividis as accents."""

import gradio as gr

CSS = """
.gradio-container {
  width: 100%; max-width: 1120px !important; margin: 0 auto !important;
  padding: clamp(20px, 3.5vw, 40px) clamp(14px, 3vw, 28px) 24px !important;
}
.gradio-container > .main { padding: 0 !important; max-width: none !important; }
#heading h1 {
  font-size: clamp(30px, 4vw, 38px); letter-spacing: -0.025em; font-weight: 700; margin: 0; line-height: 1.2;
}
#heading p { font-size: 17px; color: var(--body-text-color-subdued); margin: 2px 0 0; text-wrap: pretty; }
#form { align-items: stretch; }
#text { min-width: min(280px, 100%) !important; }
#text textarea { font-family: var(--font-mono); font-size: 17px; line-height: 1.45; }
#actions { gap: 10px; justify-content: end; }
#actions button { flex: 1 1 44px; max-height: 62px; }
#offer {
  width: fit-content; max-width: 100%; min-width: 0; justify-content: start; text-align: left;
  white-space: pre-wrap; overflow-wrap: anywhere; font-weight: 400; font-size: 14px;
  background: none; border: 1px solid var(--border-color-primary); color: var(--body-text-color);
}
#offer:hover { border-color: var(--body-text-color-subdued); }
#cost p { font-size: 14px; color: var(--body-text-color-subdued); margin: 0; min-height: 1.5em; }
#examples > .label { display: none; }
#examples, #settings {
  border: 0; border-radius: 0; background: none; padding: 0; overflow: visible !important;
}
#settings > button { width: auto; gap: 8px; color: var(--body-text-color-subdued); font-size: 14px; }
#viewer .html-container { padding: 0; }
@media (max-width: 560px) { #actions { min-width: 100% !important; } }
.dark { --color-accent: #e9d357; }
footer { opacity: 0.75; }
footer .divider:last-child { display: none; }
"""


def theme() -> gr.themes.Base:
    """Fonts are the system's own, so nothing is fetched."""
    ink = gr.themes.Color(
        c50="#f7f7f4", c100="#efefeb", c200="#dfdfda", c300="#c6c7c4", c400="#979aa0", c500="#6a6f7a",
        c600="#525866", c700="#383e4c", c800="#232833", c900="#181b23", c950="#101218", name="ink",
    )  # fmt: skip
    cividis = gr.themes.Color(
        c50="#eef3fa", c100="#d9e4f2", c200="#b4c9e4", c300="#85a5cf", c400="#4f79b0", c500="#1f5193",
        c600="#123a6f", c700="#0d2f5c", c800="#08244a", c900="#041a38", c950="#021127", name="cividis",
    )  # fmt: skip
    sans = ["system-ui", "-apple-system", "Segoe UI", "Helvetica Neue", "sans-serif"]
    mono = ["ui-monospace", "SF Mono", "Cascadia Code", "DejaVu Sans Mono", "Menlo", "Consolas", "monospace"]
    yellow, yellow_hover, night = "#e9d357", "#f5e27a", "#14161c"
    return gr.themes.Base(
        primary_hue=cividis,
        secondary_hue=cividis,
        neutral_hue=ink,
        radius_size=gr.themes.sizes.radius_lg,
        spacing_size=gr.themes.sizes.spacing_lg,
        font=sans,
        font_mono=mono,
    ).set(
        body_background_fill="#f7f7f4",
        body_background_fill_dark=night,
        background_fill_secondary="#f1f1ed",
        background_fill_secondary_dark="#12141a",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1b1e27",
        block_border_width="1px",
        block_label_text_weight="600",
        block_title_text_weight="600",
        block_info_text_size="13px",
        body_text_color="#1c2333",
        body_text_color_dark="#e8e6df",
        body_text_color_subdued="#596173",
        body_text_color_subdued_dark="#a6aab6",
        border_color_primary="#dfdfda",
        border_color_primary_dark="#343947",
        input_background_fill="#ffffff",
        input_background_fill_dark="#14161c",
        input_border_width="1px",
        color_accent="#123a6f",
        checkbox_background_color_selected_dark="#4f79b0",
        layout_gap="14px",
        block_radius="14px",
        input_radius="9px",
        button_primary_background_fill="#123a6f",
        button_primary_background_fill_hover="#1f5193",
        button_primary_background_fill_dark=yellow,
        button_primary_background_fill_hover_dark=yellow_hover,
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark=night,
    )
