// A place for photos: click, drop or paste; works with the keyboard, shows what was chosen.

import { say } from "./texts.js";

const ICON = "M4 16.500v1.500A2 2 0 0 0 6 20h12a2 2 0 0 0 2-2v-1.500M12 15V4m0 0L7.500 8.500M12 4l4.500 4.500";
let count = 0;

export class Drop {
  // `chosen(files)` is called with the photos, upright or not, exactly as they are.
  constructor(element, chosen) {
    this.element = element;
    this.chosen = chosen;
    this.several = "several" in element.dataset;
    this.files = [];
    this.build();
  }

  build() {
    const id = `photo-${count += 1}`;
    this.input = document.createElement("input");
    Object.assign(this.input, { type: "file", id, accept: "image/*", multiple: this.several });
    this.input.className = "hidden";
    const label = document.createElement("label");
    label.htmlFor = id;
    const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    icon.setAttribute("viewBox", "0 0 24 24");
    icon.setAttribute("aria-hidden", "true");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", ICON);
    icon.append(line);
    const title = document.createElement("strong");
    title.dataset.text = this.element.dataset.name;
    const hint = document.createElement("span");
    hint.dataset.text = this.several ? "dropSeveral" : "drop";
    this.note = document.createElement("span");
    this.note.className = "note";
    label.append(icon, title, hint, this.note);
    this.view = document.createElement("canvas");
    this.view.hidden = true;
    this.view.setAttribute("role", "img");
    this.element.append(this.input, label, this.view);
    this.input.addEventListener("change", () => this.take(this.input.files));
    for (const name of ["dragover", "dragenter"]) {
      this.element.addEventListener(name, (event) => {
        event.preventDefault();
        this.element.classList.add("over");
      });
    }
    this.element.addEventListener("dragleave", () => this.element.classList.remove("over"));
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      this.element.classList.remove("over");
      this.take(event.dataTransfer.files);
    });
  }

  take(list) {
    const files = [...list];
    this.files = this.several ? files : files.slice(0, 1);
    this.input.value = "";
    if (this.files.length === 0) return;
    this.note.textContent = this.several
      ? say("filesChosen", this.files.length) : this.files[0].name;
    this.element.classList.add("full");
    this.redraw();
    this.chosen?.(this.files);
  }

  // Shows the photo without boxes.
  redraw() {
    if (!this.several && this.files.length) this.drawn = drawPhoto(this.view, this.files[0]);
  }

  clear() {
    this.files = [];
    this.note.textContent = "";
    this.element.classList.remove("full");
    this.view.hidden = true;
  }

  // Draws boxes once the photo is on the canvas; `marks` is a list of {box, text, sure}.
  async mark(marks, description) {
    const scale = await this.drawn;
    if (!scale) return;
    this.view.setAttribute("aria-label", description);
    for (const mark of marks) drawMark(this.view, mark, scale);
  }
}

const LONG_SIDE = 1280;

// Shows the upright photo; the factor from its pixels to the canvas's, or null if the browser
// cannot show this format.
async function drawPhoto(canvas, file) {
  let picture;
  try {
    picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    canvas.hidden = true;
    return null;
  }
  const scale = Math.min(1, LONG_SIDE / Math.max(picture.width, picture.height));
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  canvas.setAttribute("aria-label", file.name);
  canvas.hidden = false;
  picture.close();
  return scale;
}

function drawMark(canvas, { box, text, sure, points }, scale) {
  const style = getComputedStyle(document.documentElement);
  const colour = style.getPropertyValue(sure ? "--mark" : "--mark-unsure").trim();
  const pen = canvas.getContext("2d");
  // What is drawn must be seen on the screen, where the canvas may be much smaller.
  const unit = canvas.width / Math.max(1, canvas.clientWidth || canvas.width);
  const [x0, y0, x1, y1] = box.map((value) => value * scale);
  pen.lineWidth = 3 * unit;
  pen.strokeStyle = colour;
  pen.beginPath();
  pen.roundRect(x0, y0, x1 - x0, y1 - y0, 6 * unit);
  pen.stroke();
  pen.fillStyle = colour;
  for (const [x, y] of points ?? []) {
    pen.beginPath();
    pen.arc(x * scale, y * scale, 2.5 * unit, 0, 2 * Math.PI);
    pen.fill();
  }
  const size = 14 * unit;
  pen.font = `600 ${size}px system-ui, sans-serif`;
  const width = pen.measureText(text).width + 12 * unit;
  const height = size * 1.6;
  const left = Math.max(0, Math.min(x0 - pen.lineWidth / 2, canvas.width - width));
  const top = y0 >= height ? y0 - height : Math.min(y1, canvas.height - height);
  pen.beginPath();
  pen.roundRect(left, top, width, height, 5 * unit);
  pen.fill();
  pen.fillStyle = style.getPropertyValue("--mark-text").trim();
  pen.textBaseline = "middle";
  pen.fillText(text, left + 6 * unit, top + height / 2);
}
