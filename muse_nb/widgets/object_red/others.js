import { THUMBS } from "../shared/constants.js";

// A page without a kernel holds small frames of further IFUs: choosing one of them shows it, and only these can be chosen.
export class Others {
  constructor(traits) {
    this.traits = traits;
    this.known = new Map();
    const own = {};
    for (const name of ["frame", "bits", "borders", ...Object.values(THUMBS)]) own[name] = traits.get(name);
    this.known.set(`${traits.get("exposure")} ${traits.get("ifu")}`, own);
    const raw = traits.get("others_bytes");
    let from = 0;
    const cut = (length) => { from += length; return new DataView(raw.buffer, raw.byteOffset + from - length, length); };
    (traits.get("others") ?? []).forEach(({ exposure, ifu, frame, bits, bytes: [data, flags, borders] }, k) => {
      const one = { frame: { ...frame, id: -1 - k }, bits, [THUMBS.DATA]: cut(data), [THUMBS.DQ]: cut(flags), borders: cut(borders), [THUMBS.STAT]: new DataView(new ArrayBuffer(0)) };
      this.known.set(`${exposure} ${ifu}`, one);
    });
    traits.watch("exposure ifu", () => this.follow());
  }
  ifus() {
    const here = `${this.traits.get("exposure")} `;
    return [...this.known.keys()].filter((key) => key.startsWith(here)).map((key) => Number(key.split(" ")[1])).sort((a, b) => a - b);
  }
  exposures() {
    const kept = new Set([...this.known.keys()].map((key) => Number(key.split(" ")[0])));
    return this.traits.get("exposures").map((name, i) => [i, name]).filter(([i]) => kept.has(i));
  }
  // What is shown is what the choosers say.
  follow() {
    const one = this.known.get(`${this.traits.get("exposure")} ${this.traits.get("ifu")}`);
    if (!one || one.frame === this.traits.get("frame")) return;
    const { frame, ...rest } = one;
    if (this.traits.get("pixel").length) this.traits.set("pixel", []);
    this.traits.setAll({ ...rest, readout: {} });
    this.traits.set("frame", frame);
  }
}
