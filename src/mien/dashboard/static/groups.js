// The tab of groups: what there is, who is in it, and enrolling.

import { get, path, postJson, postPhotos, remove } from "./api.js";
import { Drop } from "./drop.js";
import { el, find, table } from "./page.js";
import { currentLanguage, say, sayError } from "./texts.js";

const PAGE = 100;

export class Groups {
  // `show(place, task)` runs a task and shows its outcome; `complaint(error)` is an element.
  constructor(show, complaint) {
    this.show = show;
    this.complaint = complaint;
    this.opened = null;
    this.drop = new Drop(find("#enrol-form .drop"));
    find("#group-form").addEventListener("submit", (event) => this.create(event));
    find("#enrol-form").addEventListener("submit", (event) => this.enrol(event));
  }

  async load() {
    const place = find("#group-list");
    try {
      this.list = await all("groups", path("groups"));
    } catch (error) {
      place.replaceChildren(this.complaint(error));
      return;
    }
    for (const select of [find("#identify-group"), find("#enrol-group")]) {
      const before = select.value;
      select.replaceChildren(...this.list.map(({ name }) => el("option", { value: name }, name)));
      if (this.list.some(({ name }) => name === before)) select.value = before;
    }
    place.replaceChildren(this.list.length
      ? table([say("group"), say("persons"), say("faces"), ""], this.list.map((one) => this.row(one)))
      : el("p", { className: "hint" }, say("noGroups")));
    if (this.list.some(({ name }) => name === this.opened)) await this.open(this.opened);
    else find("#members").hidden = true;
  }

  row(group) {
    const name = el("button", { type: "button", className: "link" }, group.name);
    name.addEventListener("click", () => {
      find("#enrol-group").value = group.name;
      this.open(group.name);
    });
    return [name, number(group.persons), number(group.faces), this.bin(
      group.name, say("removeGroup", group.name), path("groups", group.name))];
  }

  bin(name, question, address) {
    const button = el("button", { type: "button", className: "quiet" }, say("remove"));
    button.setAttribute("aria-label", `${say("remove")}: ${name}`);
    button.addEventListener("click", async () => {
      if (!confirm(question)) return;
      try {
        await remove(address);
      } catch (error) {
        alert(sayError(error.code, error.message));
      }
      await this.load();
    });
    return button;
  }

  async open(group) {
    this.opened = group;
    find("#members").hidden = false;
    find("#members-title").textContent = say("personsOf", group);
    await this.show(find("#person-list"), async () => {
      const first = await get(`${path("groups", group, "persons")}?limit=${PAGE}`);
      if (!first.persons.length) return el("p", { className: "hint" }, say("noPersons"));
      const list = this.persons(group, first.persons);
      return first.next ? [list, this.more(group, first.next)] : list;
    });
  }

  persons(group, persons) {
    const day = new Intl.DateTimeFormat(currentLanguage(), { dateStyle: "medium" });
    return table([say("person"), say("faces"), say("created"), ""], persons.map((one) => [
      one.name, number(one.faces), day.format(new Date(one.created_at)),
      this.bin(one.name, say("removePerson", one.name), path("groups", group, "persons", one.id)),
    ]));
  }

  more(group, after) {
    const button = el("button", { type: "button", className: "second" }, say("more"));
    button.addEventListener("click", async () => {
      const query = new URLSearchParams({ after, limit: String(PAGE) });
      const page = await get(`${path("groups", group, "persons")}?${query}`);
      button.replaceWith(this.persons(group, page.persons),
        ...(page.next ? [this.more(group, page.next)] : []));
    });
    return button;
  }

  async create(event) {
    event.preventDefault();
    const input = find("#group-name");
    try {
      await postJson(path("groups"), { name: input.value.trim() });
    } catch (error) {
      input.setCustomValidity(sayError(error.code, error.message));
      input.reportValidity();
      input.addEventListener("input", () => input.setCustomValidity(""), { once: true });
      return;
    }
    this.opened = input.value.trim();
    input.value = "";
    await this.load();
    find("#enrol-group").value = this.opened;
  }

  async enrol(event) {
    event.preventDefault();
    const group = find("#enrol-group").value;
    const person = find("#enrol-person").value.trim();
    const photos = this.drop.files.map((file) => ["image", file]);
    await this.show(find("#enrol-result"), async () => {
      if (!photos.length) return el("p", { className: "error", role: "alert" }, say("choosePhotos"));
      const id = await personId(group, person);
      const done = await postPhotos(path("groups", group, "persons", id, "faces"), photos);
      this.drop.clear();
      this.opened = group;
      await this.load();
      return outcome(done, person);
    });
  }
}

// The person's id; a new person is created.
async function personId(group, person) {
  try {
    return (await postJson(path("groups", group, "persons"), { name: person })).id;
  } catch (error) {
    const known = error.code === "already_exists" ? error.details.person_id : null;
    if (!known) throw error;
    return known;
  }
}

function outcome(done, person) {
  const said = [el("p", { className: "verdict yes" }, say("enrolled", done.enrolled, person))];
  if (done.rejected.length) {
    said.push(el("p", {}, say("rejected")), el("ul", {}, ...done.rejected.map((one) =>
      el("li", {}, `${one.image}: ${sayError(one.reasons[0], one.message || one.reasons.join(", "))}`))));
  }
  return said;
}

// Every entry of a paged list.
async function all(name, address) {
  const found = [];
  let after = null;
  do {
    const query = new URLSearchParams({ limit: "500", ...(after ? { after } : {}) });
    const page = await get(`${address}?${query}`);
    found.push(...page[name]);
    after = page.next;
  } while (after);
  return found;
}

const number = (value) => value.toLocaleString(currentLanguage());
