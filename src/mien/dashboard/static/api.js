// The page's only way to the server: /v1 with the key of this tab.

const KEY = "mien.key";

export class ApiError extends Error {
  constructor(code, message, requestId, details = {}) {
    super(message);
    this.code = code;
    this.details = details;
    this.requestId = requestId;
  }
}

export function key() { return sessionStorage.getItem(KEY) ?? ""; }
export function keepKey(value) { sessionStorage.setItem(KEY, value); }
export function forgetKey() { sessionStorage.removeItem(KEY); }

// A path from parts that may hold any character.
export function path(...parts) {
  return "/v1/" + parts.map(encodeURIComponent).join("/");
}

async function send(method, address, body, headers = {}) {
  const secret = key();
  if (secret) headers.Authorization = `Bearer ${secret}`;
  let answer;
  try {
    answer = await fetch(address, { method, body, headers, cache: "no-store" });
  } catch {
    throw new ApiError("offline", "The server cannot be reached.");
  }
  if (answer.status === 204) return null;
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const error = content.error ?? { code: "internal", message: answer.statusText };
    throw new ApiError(error.code, error.message, content.request_id, error.details);
  }
  return content;
}

export const get = (address) => send("GET", address);
export const remove = (address) => send("DELETE", address);
export const postJson = (address, value) =>
  send("POST", address, JSON.stringify(value), { "Content-Type": "application/json" });

// `photos` is a list of [field, File].
export function postPhotos(address, photos) {
  const form = new FormData();
  for (const [field, file] of photos) form.append(field, file, file.name);
  return send("POST", address, form);
}
