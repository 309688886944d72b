"""Texts that strangers might send, for everything that takes a text, shows one or names a file after one."""

HOSTILE = (
    "${alert(1)}",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\u202egnp.exe\u2066\u200f",  # right-to-left marks
    "\u2028\u2029\x00\x1b]0;",
    "x" * 10_000,
    "../../etc/passwd",
    "a&seed=8#view=attention\r\nSet-Cookie: a=b",
    "%00%0A%%",
)
