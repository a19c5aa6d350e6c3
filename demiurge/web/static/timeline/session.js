// The open plan: its current revision, the selection, and the edits that are being made.

import { events, fail, getJson, postJson, say } from "../lib.js";
import { Heard } from "./heard.js";
import { Plan } from "./plan.js";

/** Sends the events "plan" (with the samples that changed), "audio", "selection", "hover", "pending" and "heard". */
export class Session extends EventTarget {
  constructor(document) {
    super();
    this.plan = new Plan(document);
    this.heard = new Heard(() => this.tell("heard"));
    this.voice = 0; // that is looked at: of the selection, or of the last one
    this.step = -1; // shown in the inspector
    this.anchor = -1; // where the selection begins
    this.last = -1; // where it ends
    this.hovered = -1;
    this.pending = null; // {what, steps} while an edit runs or the plan is saved
    this.queue = Promise.resolve();
    events("plan", (news) => this.#hear(news));
    globalThis.document.addEventListener("reconnected", () => this.#then(() => this.catchUp()));
  }

  tell(what, detail = null) {
    this.dispatchEvent(new CustomEvent(what, { detail }));
  }

  on(what, handler) {
    this.addEventListener(what, (event) => handler(event.detail));
  }

  /** Selected steps of one voice, first and last; [-1, -1] if none is. */
  get range() {
    return [Math.min(this.anchor, this.last), Math.max(this.anchor, this.last)];
  }

  get selected() {
    const [first, last] = this.range;
    return first < 0 ? [] : Array.from({ length: last - first + 1 }, (_, i) => first + i);
  }

  /** Select a step, or extend the selection to it if that is in the same voice. */
  select(step, { extend = false } = {}) {
    if (step < 0) return this.selectRange(-1, -1);
    const to = Math.min(step, this.plan.length - 1);
    const goesOn = extend && this.anchor >= 0 && this.plan.voice(this.anchor) === this.plan.voice(to);
    return this.selectRange(goesOn ? this.anchor : to, to);
  }

  /** Look at another voice, without a selection. */
  lookAt(voice) {
    if (voice === this.voice) return;
    this.voice = voice;
    this.selectRange(-1, -1);
    this.tell("selection");
  }

  /** Select steps; the inspector shows `step`. */
  selectRange(anchor, last, step = last) {
    if (anchor === this.anchor && last === this.last && step === this.step) return;
    [this.anchor, this.last, this.step] = [anchor, last, step];
    if (step >= 0) this.voice = this.plan.voice(step);
    this.tell("selection");
  }

  selectRun(run, step = this.plan.runFirst(run)) {
    this.selectRange(this.plan.runFirst(run), this.plan.runLast(run), step);
  }

  hover(step) {
    if (step === this.hovered) return;
    this.hovered = step;
    this.tell("hover");
  }

  /** Edit the plan after all waiting edits; `make` returns null if there is nothing left to do by then. */
  edit(make) {
    return this.#then(async () => {
      const edit = make();
      if (edit) await this.#during(edit.what, stepsOf(edit), () => this.#send(edit));
    });
  }

  /** Save the plan after all waiting edits; without a name the server chooses one. */
  save(name = null) {
    return this.#then(async () => {
      if (name === null && !this.plan.dirty) say("There is nothing to save.");
      else await this.#during("Save", [], () => this.#save(name));
    });
  }

  /** Run tasks one after another. */
  #then(run) {
    this.queue = this.queue.then(run).catch(fail);
    return this.queue;
  }

  async #during(what, steps, run) {
    this.pending = { what, steps };
    this.tell("pending");
    try {
      await run();
    } finally {
      this.pending = null;
      this.tell("pending");
    }
  }

  async #send({ what, ...edit }) {
    try {
      const answer = await postJson(`/plans/${this.plan.id}/edits`, { revision: this.plan.revision, edit });
      const plan = this.plan.edited(answer);
      if (edit.kind === "remove") this.anchor = this.last = this.step = plan.within(edit.steps[0], this.voice); // else the steps after them would be selected
      this.#show(plan, answer.change);
      say(`${what}: done`, { quiet: true });
    } catch (error) {
      if (!(await this.catchUp())) fail(error);
    }
  }

  async #save(name) {
    const saved = await postJson(`/plans/${this.plan.id}/save`, name ? { name } : {});
    history.replaceState(null, "", `/timeline/${saved.id}`);
    this.#show(new Plan(await getJson(`/plans/${saved.id}.json`)), null);
    say(`Saved as ${saved.file}`);
  }

  /** Switch to another revision of the plan; `change` says which samples changed, null: any. */
  #show(plan, change) {
    this.plan = plan;
    this.hovered = -1;
    const most = this.plan.length - 1;
    [this.anchor, this.last, this.step] = [this.anchor, this.last, this.step].map((step) => Math.min(step, most));
    if (this.step >= 0) this.#selectInOneVoice();
    this.voice = Math.min(this.step >= 0 ? plan.voice(this.step) : this.voice, plan.nVoices - 1);
    this.tell("plan", change);
    this.tell("selection");
  }

  /** Steps may have moved to where another voice begins. */
  #selectInOneVoice() {
    const voice = this.plan.voice(this.step);
    [this.anchor, this.last] = [this.anchor, this.last].map((step) => this.plan.within(step, voice));
  }

  /** Load the plan if it has another revision. @returns {Promise<boolean>} whether it has */
  async catchUp() {
    try {
      const document = await getJson(`/plans/${this.plan.id}.json`);
      const isEdited = document.revision !== this.plan.revision;
      if (isEdited) say("The plan was changed elsewhere; this is how it is now.", { warn: true });
      if (isEdited || document.audio.state !== this.plan.audio.state) this.#show(new Plan(document), null);
      return isEdited;
    } catch (error) {
      fail(error);
      return true; // the error is shown already
    }
  }

  #hear(news) {
    if (news.id !== this.plan.id || news.revision < this.plan.revision) return;
    if (this.pending) {
      this.#then(() => this.#hear(news));
      return;
    }
    if (news.revision !== this.plan.revision || news.audio.state !== this.plan.audio.state) {
      this.#then(() => this.catchUp());
      return;
    }
    this.plan.audio = news.audio;
    this.tell("audio");
  }
}

/** The steps that an edit names. */
const stepsOf = ({ step, steps }) => steps ?? (step === undefined ? [] : [step]);
