"""The form that a visitor fills in, from the widgets to a Request."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import gradio as gr

from textdiff import alphabet
from textdiff.cost import in_words
from textdiff.request_rules import NAMES, NUMBERS, number_problem, untouched
from textdiff.trajectory import Request
from textdiff.typed_text import tidied

if TYPE_CHECKING:
    from textdiff.writer import Writer

EXAMPLES = (
    "Hello",
    "red dog\ngreen cat",
    "diffusion\nmodels",
    "the\nwhat string\ncommit\nString evolved\nLEGGED",
)
SAMPLERS = (
    ("UniPC", "unipc"),
    ("DPM-Solver++ 2M", "dpm++2m"),
    ("DDIM", "ddim"),
    ("DDPM, with fresh noise", "ddpm"),
)


@dataclass(frozen=True, kw_only=True)
class WritePanel:
    """The widgets. `fields` are named after the fields of Request that they set."""

    fields: dict[str, gr.components.Component]
    write: gr.Button
    stop: gr.Button
    offer: gr.Button  # of a text that is easier to write; hidden while there is none
    cost: gr.Markdown  # what a run will take
    picture: gr.File  # whose settings are to be restored

    @property
    def costly(self) -> list[gr.components.Component]:
        """Those that change what a run takes."""
        names = ("candidates", "steps", "guidance", "upscaled", "upscaler_steps", "one_call")
        return [self.fields[name] for name in names if name in self.fields]

    @property
    def inputs(self) -> list[gr.components.Component]:
        return list(self.fields.values())

    def request(self, *values) -> Request:
        """The request that the values of `inputs` make; ask `problems` first."""
        chosen = self._chosen(values)
        whole = [name for name in chosen if name in NUMBERS and NUMBERS[name][2]]
        return Request(**chosen | {name: int(chosen[name]) for name in whole})

    def problems(self, writer: "Writer", *values) -> dict[str, str]:
        """Field name -> one sentence for the visitor, for every field that is wrong."""
        problems = {name: number_problem(name, value) for name, value in self._numbers(values)}
        limits, text = writer.limits, self._chosen(values)["text"]
        problems["text"] = alphabet.problem_with(text, limits.max_characters, limits.max_lines)
        if not any(problems.values()) and (sentence := writer.problem_with(request := self.request(*values))):
            problems[_culprit(writer, request)] = sentence
        return {name: sentence for name, sentence in problems.items() if sentence}

    def cost_in_words(self, writer: "Writer", *values) -> str:
        """What a run with the values of `inputs` will take on this machine; nothing if there can be none."""
        if any(number_problem(name, value) for name, value in self._numbers(values)):
            return ""
        size, large_size = writer.limits.size, writer.limits.large_size
        offered = "upscaled" in self.fields
        return in_words(self.request(*values), writer.speed(), size, large_size if offered else None)

    def filled(self, values: Mapping, hidden: Collection[str] = ()) -> list[dict]:
        """What the fields show from now on: those of `values` that the form has, and none that are hidden."""
        said = {name: {"value": values[name]} for name in self.fields if name in values}
        shown = {name: {"visible": False} for name in self.fields if name in hidden}
        changes = {name: said.get(name, {}) | shown.get(name, {}) for name in self.fields}
        return [gr.update(**change) if change else gr.skip() for change in changes.values()]

    def _chosen(self, values: Iterable) -> dict:
        """Field name -> value, the text tidied."""
        chosen = dict(zip(self.fields, values, strict=True))
        return chosen | {"text": tidied(chosen["text"] or "")}

    def _numbers(self, values: Iterable) -> list[tuple[str, float | None]]:
        return [(name, value) for name, value in zip(self.fields, values, strict=True) if name in NUMBERS]


def build_write_panel(large: bool = False, one_call: bool = False) -> WritePanel:
    """Put the form on the page that is being built; what only some models can do is on offer or not: `large`
    pictures, and guidance in `one_call`."""
    defaults = untouched(large, one_call)
    with gr.Row(elem_id="form"):
        text = gr.Textbox(
            label="Text to write",
            info="A few words, on one or several lines.",
            value=EXAMPLES[1],
            lines=2,
            max_lines=8,
            scale=1,
            elem_id="text",
            html_attributes=gr.InputHTMLAttributes(autocomplete="off", spellcheck=False),
        )
        with gr.Column(scale=0, min_width=150, elem_id="actions"):
            # Switched on when a link has filled in the form: before, it would write the form's own text.
            write = gr.Button("Write", variant="primary", elem_id="write", interactive=False)
            stop = gr.Button("Stop", variant="stop", elem_id="stop", visible=False)
    offer = gr.Button(size="sm", elem_id="offer", visible=False)
    cost = gr.Markdown(elem_id="cost")
    gr.Examples(
        [[example] for example in EXAMPLES],
        inputs=[text],
        example_labels=[example.replace("\n", " / ") for example in EXAMPLES],
        label="Examples",
        api_visibility="private",
        cache_examples=False,
        preload=False,
        elem_id="examples",
    )
    with gr.Accordion("Settings", open=False, elem_id="settings"):
        with gr.Row():
            candidates = _number("candidates", "Candidates", "Pictures to choose from.", defaults)
            steps = _number("steps", "Steps", "More is finer and slower.", defaults)
            seed = _number("seed", "Seed", "Same seed, same pictures.", defaults)
            guidance = _number("guidance", "Guidance", "Pull towards the text; 1 is none.", defaults)
        with gr.Row():
            sampler = gr.Dropdown(
                list(SAMPLERS),
                value=defaults.sampler,
                label="Sampler",
                info="How steps follow each other.",
                min_width=140,
            )
            readers = gr.Dropdown(
                list(NAMES["reader"]),
                value=defaults.reader,
                label="Reader",
                info="Reads the results back.",
                min_width=140,
                elem_id="reader",
            )
            keep = _number(
                "keep_only_if_above", "Keep only if above", "If one gets there, others go.", defaults
            )
            delete = _number("delete_under", "Delete under", "What is less alike goes.", defaults)
        if large:
            with gr.Row(elem_id="large"):
                upscaled = _number(
                    "upscaled", "Large pictures", "The best, drawn again; 0 is none.", defaults
                )
                upscaler_steps = _number(
                    "upscaler_steps", "Steps of the large", "One is read best.", defaults
                )
        if one_call:
            in_one_call = gr.Checkbox(
                defaults.one_call,
                label="Guidance in one call",
                info="Half the work, learned from asking twice.",
                elem_id="one_call",
            )
        with gr.Row():
            watch = gr.Checkbox(
                defaults.watch, label="Keep the attention of every step, to look at it later", min_width=240
            )
            picture = gr.File(
                label="Restore the settings of a shared picture",
                file_types=[".png"],
                height=160,
                min_width=240,
                elem_id="picture",
            )
    fields = {
        "text": text,
        "candidates": candidates,
        "steps": steps,
        "seed": seed,
        "guidance": guidance,
        "sampler": sampler,
        "reader": readers,
        "keep_only_if_above": keep,
        "delete_under": delete,
        "watch": watch,
    }
    if large:
        fields |= {"upscaled": upscaled, "upscaler_steps": upscaler_steps}
    if one_call:
        fields |= {"one_call": in_one_call}
    return WritePanel(fields=fields, write=write, stop=stop, offer=offer, cost=cost, picture=picture)


def _culprit(writer: "Writer", request: Request) -> str:
    """The field that keeps the writer from answering, all of whose numbers are in their ranges."""
    in_two = replace(request, one_call=False)
    if writer.problem_with(request) != writer.problem_with(in_two):
        return "guidance"
    return "reader" if writer.problem_with(replace(request, candidates=1, steps=1)) else "steps"


def _number(name: str, label: str, info: str, defaults: Request) -> gr.Number:
    # No minimum and maximum here: Gradio would answer with an error of its own, not with our sentence.
    step = 1 if NUMBERS[name][2] else 0.05
    value = getattr(defaults, name)
    return gr.Number(value=value, label=label, info=info, step=step, min_width=140, elem_id=name)
