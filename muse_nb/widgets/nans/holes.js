// Holes that a reader marks in the NaN viewer: a list to walk along, and a small table to send to somebody.
import { button, h } from "../shared/ui.js";

const same = (a, b) => a.every((value, i) => value === b[i]);

export class HoleMarks {
  constructor(traits, isHole, visit) {
    this.traits = traits;
    this.isHole = isHole;
    this.visit = visit;
    this.element = h("div", { class: "mnb-marked" });
    traits.watch("holes voxel", () => this.list());
    this.list();
  }

  flip() {
    const voxel = this.traits.get("voxel"), holes = this.traits.get("holes");
    if (voxel.length !== 3 || (this.isHole(voxel) === false && !holes.some((one) => same(one, voxel)))) return;
    this.traits.set("holes", holes.some((one) => same(one, voxel)) ? holes.filter((one) => !same(one, voxel)) : [...holes, [...voxel]]);
  }

  list() {
    const holes = this.traits.get("holes"), voxel = this.traits.get("voxel"), marked = voxel.length === 3 && holes.some((one) => same(one, voxel));
    const parts = voxel.length === 3 && (marked || this.isHole(voxel) !== false) ? [button(marked ? "Take the mark away" : "Mark this hole", "Mark the selected voxel, or take its mark away (x)", () => this.flip())] : [];
    if (holes.length) {
      parts.push(h("div", { class: "mnb-heading" }, "Marked holes"), ...holes.map((one) => h("button", {
        type: "button", class: "mnb-chip", "aria-current": String(voxel.length === 3 && same(one, voxel)), onclick: () => this.visit(...one),
      }, `${one[0] + 1}, ${one[1] + 1}`, h("span", { class: "mnb-count" }, `plane ${one[2] + 1}`))));
      if (this.traits.model.alone) parts.push(button("Download holes.ecsv", "The marked holes as a table that NanViewer(cube, holes=...) shows and muse-nb nans CUBE --holes explains", () => this.traits.send({ type: "save", name: "holes.ecsv", text: this.table() })));
    }
    this.element.replaceChildren(...parts);
  }

  table() {
    const names = ["x", "y", "plane"];
    return ["# %ECSV 1.0", "# ---", "# datatype:", ...names.map((name) => `# - {name: ${name}, datatype: int64}`), names.join(" "),
      ...this.traits.get("holes").map((one) => one.join(" ")), ""].join("\n");
  }

  // Rings: whole where the hole is in this plane, faint where it is in another.
  draw(context, view, plane) {
    for (const [x, y, k] of this.traits.get("holes")) {
      const [at, from] = view.toScreen(x, y), radius = Math.max(8, view.where()[2]);
      context.globalAlpha = k === plane ? 1 : 0.35;
      for (const [style, width] of [["#000a", 4], ["#f0e442", 2]]) {
        context.strokeStyle = style; context.lineWidth = width;
        context.beginPath(); context.arc(at, from, radius, 0, 7); context.stroke();
      }
    }
    context.globalAlpha = 1;
  }
}
