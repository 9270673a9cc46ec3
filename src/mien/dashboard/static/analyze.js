// What the faces of a photo look like: one table a face, of whatever the server answers.

import { path, postPhotos } from "./api.js";
import { Drop } from "./drop.js";
import { el, find, table } from "./page.js";
import { say } from "./texts.js";

export class Analyze {
  #show;
  #drop;

  constructor(show) {
    this.#show = show;
    this.#drop = new Drop(find("#analyze .drop"), (files) => this.#ask(files));
  }

  #ask([file]) {
    this.#show(find("#analyze-result"), async () => {
      const { actions, faces } = await postPhotos(path("analyze"), [["image", file]]);
      const summary = faces.length ? say("facesFound", faces.length) : say("noFaces");
      await this.#drop.mark(
        faces.map((face, i) => ({ box: face.box, sure: true, text: String(i + 1) })), summary,
      );
      const heading = el("p", { className: "verdict" }, summary);
      if (!faces.length) return heading;
      return [heading, table(
        [say("face"), say("attribute"), say("answer")],
        faces.flatMap((face, i) => actions.map((name) => [
          String(i + 1), name, describe(face[name])])),
      )];
    });
  }
}

// An answer in one line: its value, its score, or each of its parts.
function describe(answer) {
  if (typeof answer === "number") return String(Math.round(100 * answer) / 100);
  if (typeof answer === "boolean") return say(answer ? "yes" : "no");
  if (Array.isArray(answer)) return answer.map(describe).join(", ");
  if (typeof answer !== "object" || answer === null) return String(answer ?? "–");
  const { scores, components, ...rest } = answer;
  if ("value" in rest && Object.keys(rest).length === 1) return describe(rest.value);
  return Object.entries(rest).map(([name, part]) => (
    name === "value" ? describe(part)
      : Array.isArray(part) || typeof part !== "object" ? `${name}: ${describe(part)}`
        : `${name}: (${describe(part)})`
  )).join(" · ");
}
