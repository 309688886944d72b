"""The page: what visitors see and do. Only here, and in app.py, is gradio imported."""
