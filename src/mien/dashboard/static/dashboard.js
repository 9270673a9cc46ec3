// The page: tabs, the key, and one function per task. It calls only /v1.

import { ApiError, forgetKey, get, keepKey, key, path, postPhotos } from "./api.js";
import { Analyze } from "./analyze.js";
import { Drop } from "./drop.js";
import { Groups } from "./groups.js";
import { el, find, percent, table } from "./page.js";
import { currentLanguage, say, sayError, useLanguage } from "./texts.js";

const LANGUAGE = "mien.language";
let state = null;

// Runs a task and shows its progress and its error in `place`.
async function show(place, task) {
  place.replaceChildren(el("p", { className: "working" }, say("working")));
  try {
    place.replaceChildren(...[await task()].flat());
  } catch (error) {
    place.replaceChildren(complaint(error));
    if (error.code === "unauthorized") askForKey();
  }
}

function complaint(error) {
  if (!(error instanceof ApiError)) throw error;
  const text = error.code === "offline" ? say("offline") : sayError(error.code, error.message);
  return el("p", { className: "error", role: "alert" },
    el("strong", {}, say("failed") + ": "), text, " ", el("code", {}, error.code));
}

// --- tasks -------------------------------------------------------------------------------------

const detectDrop = new Drop(find("#detect .drop"), ([file]) => show(find("#detect-result"), async () => {
  const { faces } = await postPhotos(path("detect"), [["image", file]]);
  const summary = faces.length ? say("facesFound", faces.length) : say("noFaces");
  await detectDrop.mark(faces.map((face, i) => ({
    box: face.box, points: face.landmarks, sure: true, text: `${i + 1} · ${face.score.toFixed(2)}`,
  })), summary);
  if (!faces.length) return el("p", { className: "verdict" }, summary);
  return [el("p", { className: "verdict" }, summary), table(
    [say("face"), say("score"), say("size")],
    faces.map((face, i) => [String(i + 1), face.score.toFixed(3), size(face.box)]),
  )];
}));

const pair = [...document.querySelectorAll("#compare .drop")].map((place) => new Drop(place, compare));

function compare() {
  const [a, b] = pair.map((drop) => drop.files[0]);
  if (!a || !b) return;
  show(find("#compare-result"), async () => {
    for (const drop of pair) drop.redraw();
    const found = await postPhotos(path("compare"), [["image_a", a], ["image_b", b]]);
    const score = found.confidence ?? found.similarity;
    await Promise.all(pair.map((drop, i) => drop.mark(
      [{ box: found.faces[i], text: score.toFixed(2), sure: found.match }], say("face"),
    )));
    return comparison(found, score);
  });
}

function comparison(found, score) {
  const verdict = el("p", { className: `verdict ${found.match ? "yes" : "no"}` },
    say(found.match ? "same" : "different"));
  const facts = [];
  if (found.confidence !== null) facts.push([say("confidence"), percent(found.confidence)]);
  facts.push([say("similarity"), found.similarity.toFixed(3)]);
  facts.push([say("threshold"), `${found.threshold.toFixed(3)} ${say("on", found.decided_on)}`]);
  if (found.fmr !== null) facts.push([say("fmr"), String(found.fmr)]);
  return [verdict, gauge(found, score), el("dl", { className: "facts" },
    ...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]))];
}

// A bar from 0 to 1 with a mark at the threshold, where that is a confidence too.
function gauge(found, score) {
  const fill = el("span", { className: "fill" });
  fill.style.width = `${100 * Math.min(1, Math.max(0, score))}%`;
  const bar = el("div", { className: "gauge", role: "meter" }, fill);
  const facts = { valuemin: 0, valuemax: 1, valuenow: score.toFixed(3),
    label: say(found.confidence === null ? "similarity" : "confidence") };
  for (const [name, value] of Object.entries(facts)) bar.setAttribute(`aria-${name}`, value);
  if (found.decided_on === "confidence") {
    const mark = el("span", { className: "needle" });
    mark.style.left = `${100 * found.threshold}%`;
    bar.append(mark);
  }
  return bar;
}

const identifyDrop = new Drop(find("#identify .drop"), identify);
find("#identify-group").addEventListener("change", identify);

function identify() {
  const [file] = identifyDrop.files;
  const group = find("#identify-group").value;
  if (!file || !group) return;
  show(find("#identify-result"), async () => {
    identifyDrop.redraw();
    const { faces } = await postPhotos(path("groups", group, "identify"), [["image", file]]);
    const summary = faces.length ? say("facesFound", faces.length) : say("noFaces");
    await identifyDrop.mark(faces.map((face) => ({
      box: face.box, sure: face.candidates.length > 0,
      text: face.candidates[0]?.person ?? say("unknown"),
    })), summary);
    if (!faces.length) return el("p", { className: "verdict" }, summary);
    return [el("p", { className: "verdict" }, summary), table(
      [say("face"), say("person"), say("confidence"), say("similarity")],
      faces.flatMap((face, i) => face.candidates.length
        ? face.candidates.map((one) => [
          String(i + 1), one.person,
          one.confidence === null ? "–" : percent(one.confidence), one.similarity.toFixed(3)])
        : [[String(i + 1), say("unknown"), "–", "–"]]),
    )];
  });
}

new Analyze(show);
const groups = new Groups(show, complaint);

function size([x0, y0, x1, y1]) {
  return `${Math.round(x1 - x0)} × ${Math.round(y1 - y0)} px`;
}

// --- the page ----------------------------------------------------------------------------------

async function refresh() {
  const needsKey = !key();
  const line = find("#status");
  try {
    state = await get(path("status"));
  } catch (error) {
    state = null;
    if (error.code === "unauthorized") {
      askForKey();
      line.textContent = needsKey ? say("needKey") : sayError(error.code, error.message);
    } else {
      line.textContent = error.code === "offline" ? say("offline") : sayError(error.code, error.message);
    }
    return;
  }
  find("#key-form").hidden = true;
  find("#key-in-use").hidden = needsKey;
  showStatus();
  await groups.load();
}

function showStatus() {
  if (!state) return;
  const parts = [`Mien ${state.version}`, state.detector, state.embedder,
    state.runtime, state.precision, state.ready ? null : say("loading")].filter(Boolean);
  find("#status").replaceChildren(...parts.map((part) => el("span", {}, part)));
  if (!state.ready) setTimeout(refresh, 1500);
}

function askForKey() {
  find("#key-form").hidden = false;
  find("#key-in-use").hidden = true;
}

find("#key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keepKey(find("#key").value.trim());
  find("#key").value = "";
  refresh();
});

find("#forget").addEventListener("click", () => {
  forgetKey();
  location.reload();
});

const tabs = [...document.querySelectorAll("[role=tab]")];

function open(tab) {
  for (const one of tabs) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", String(chosen));
    one.tabIndex = chosen ? 0 : -1;
    find(`#${one.getAttribute("aria-controls")}`).hidden = !chosen;
  }
  history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
}

for (const tab of tabs) {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    open(next);
    next.focus();
  });
}

function setLanguage(name) {
  useLanguage(name);
  const other = currentLanguage() === "ko" ? "en" : "ko";
  const button = find("#language");
  button.textContent = other === "ko" ? "한국어" : "English";
  button.lang = other;
  showStatus();
  if (state) groups.load();
}

find("#language").addEventListener("click", () => {
  const name = currentLanguage() === "ko" ? "en" : "ko";
  localStorage.setItem(LANGUAGE, name);
  setLanguage(name);
});

// A photo dropped beside a drop place must not replace the page.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());

find("#key-form").hidden = true;
setLanguage(localStorage.getItem(LANGUAGE) ?? navigator.language.slice(0, 2));
open(tabs.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash) ?? tabs[0]);
refresh();
