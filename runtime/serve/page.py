"""The page for people at ``/``: an image file chosen or dropped, its overlay and warnings shown."""

import base64
import hashlib
import re

_TEMPLATE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Retinal vessels</title>
<style>
:root { color-scheme: light dark; --soft: #555; --alarm: #a00; }
@media (prefers-color-scheme: dark) { :root { --soft: #aaa; --alarm: #ff9a91; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
form { display: flex; flex-wrap: wrap; gap: 1rem; align-items: end; }
label { display: grid; gap: .2rem; }
img { max-width: 100%; margin-top: 1rem; }
[role=alert] { color: var(--alarm); }
table { border-collapse: collapse; margin-top: 1rem; }
th, td { text-align: left; padding: .1rem 1rem .1rem 0; vertical-align: top; font-weight: normal; }
th { color: var(--soft); }
</style>
<h1>Retinal vessels</h1>
<form>
<label>Image file <input type="file" name="file" required></label>
<label>Angle in degrees
<input type="number" name="angle" min="10" max="220" step="any" placeholder="if known"></label>
<label>Picture <select name="output"><option>overlay<option>vessels<option>probability</select></label>
<label>Token <input type="password" name="token" placeholder="if one is needed" autocomplete="off"></label>
<button>Segment</button>
</form>
<p role="status"></p>
<p role="alert"></p>
<img alt="" hidden>
<table></table>
<script>
const form = document.querySelector("form"), shown = document.querySelector("img");
const say = (role, text) => { document.querySelector(`[role=${role}]`).textContent = text; };
const errorOf = async (response) => {
  const told = await response.json().catch(() => null);  // a proxy before the server answers otherwise
  return told?.error ?? `the answer is ${response.status} ${response.statusText}, without a reason`;
};
let last = new AbortController();
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  last.abort();  // a picture and the report of another must never stand together
  const {signal} = last = new AbortController();
  const file = form.elements.file.files[0], output = form.elements.output.value;
  const query = new URLSearchParams({output});
  if (form.elements.angle.value) query.set("field_of_view", form.elements.angle.value);
  const headers = form.elements.token.value ? {Authorization: `Bearer ${form.elements.token.value}`} : {};
  const table = document.querySelector("table");
  table.replaceChildren();
  shown.hidden = true;
  say("alert", "");
  say("status", `Segmenting ${file.name} …`);
  try {
    const response = await fetch(`segment?${query}`, {method: "POST", headers, body: file, signal})
      .catch((error) => { throw signal.aborted ? error : new Error(
        "no answer came; is the server still running, and the file still there and readable?"); });
    if (response.status === 401) throw new Error(  // the server's words are for those who write headers
      `this server wants a token; ${headers.Authorization ? "the one above is another" : "enter it above"}`);
    if (!response.ok) throw new Error(await errorOf(response));
    const report = JSON.parse(response.headers.get("Retinagan-Report")), picture = await response.blob();
    if (signal.aborted) return;
    URL.revokeObjectURL(shown.src);
    shown.src = URL.createObjectURL(picture);
    shown.alt = `${output} of ${file.name}`;
    shown.hidden = false;
    const warned = report.status !== "done";
    say("status", `${file.name}: done, ${warned ? "with warnings:" : "without warnings."}`);
    say("alert", report.warnings.map((warning) => warning.message).join("; "));
    const names = ["confidence", "threshold", "threshold_from", "field_of_view", "field_of_view_from",
      "working_size", "model", "engine"];
    for (const name of names) {
      const row = table.insertRow(), head = document.createElement("th");
      head.textContent = name.replaceAll("_", " ");
      row.append(head);
      row.insertCell().textContent = report[name] ?? "unknown";
    }
  } catch (error) {
    if (signal.aborted) return;
    say("status", "");
    say("alert", `${file.name}: ${error.message}`);
  }
});
</script>
"""

PAGE = _TEMPLATE.encode()
"""The page, as UTF-8; it loads nothing from elsewhere."""


def _hash_of(tag: str) -> str:
    """Return the source expression that allows the page's own script or style (Content Security Policy)."""
    found = re.search(rf"<{tag}>(.*?)</{tag}>", _TEMPLATE, re.DOTALL)
    assert found is not None
    return f"'sha256-{base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()}'"


SECURITY_POLICY = (
    f"default-src 'none'; script-src {_hash_of('script')}; style-src {_hash_of('style')}; img-src blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content Security Policy of the page."""
