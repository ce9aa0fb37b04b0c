// Questions to the kernel while a hand moves: one of a kind on its way, and only the newest waits.
export class Wire {
  constructor(traits) {
    this.traits = traits;
    this.number = 0;
    this.busy = {};
    this.waiting = {};
  }
  ask(type, content) {
    const since = this.busy[type];
    if (since && performance.now() - since < 3000) { this.waiting[type] = content; return; }
    this.busy[type] = performance.now();
    this.number += 1;
    this.traits.send({ type, n: this.number, ...content });
  }
  answered(type) {
    this.busy[type] = 0;
    const next = this.waiting[type];
    delete this.waiting[type];
    if (next) this.ask(type, next);
  }
  forget(type) { delete this.waiting[type]; }
}
