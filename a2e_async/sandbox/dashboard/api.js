// Requests to the sandbox that served this page. What it answers is data from anywhere: it is only ever shown as text.

let key = sessionStorage.getItem("key");

// The account that is shown; its routes are below its name.
export const shown = { account: "" };

export const own = (route) => `/sandbox/accounts/${encodeURIComponent(shown.account)}/${route}`;

export const hasKey = () => Boolean(key);

export function useKey(text) {
  key = text;
  sessionStorage.setItem("key", text);
}

export async function call(path, { method = "GET", body, signal } = {}) {
  const headers = { ...(key && { Authorization: `Bearer ${key}` }), ...(body && { "Content-Type": "application/json" }) };
  const response = await fetch(path, { method, headers, signal, body: body && JSON.stringify(body) });
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw Object.assign(new Error(told.msg ?? `HTTP ${response.status}`), { status: response.status });
}

export const read = async (path, options) => (await call(path, options)).json();

// Not an EventSource: that could not send a key.
export async function listen(path, signal, hear) {
  const { body } = await call(path, { signal });
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let held = ""; ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (held + value).split("\n\n");
    held = events.pop();
    for (const event of events) hear(JSON.parse(event.slice("data: ".length)));
  }
}
