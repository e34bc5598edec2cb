// The overview of a long sound: its level over time, and a frame around the section that is in view.

const overviews = new WeakMap();

export default function (component) {
  return mounted(overviews, component, Overview);
}

class Overview {
  constructor(root) {
    this.root = root.appendChild(make("div", "overview"));
    this.root.tabIndex = 0;
    this.root.setAttribute("role", "slider");
    this.root.setAttribute("aria-label", "Section of the clip");
    this.root.setAttribute("aria-valuemin", "0");
    this.canvas = this.root.appendChild(make("canvas"));
    this.frame = this.root.appendChild(make("span", "frame"));
    this.root.addEventListener("pointerdown", (event) => this.down(event));
    this.root.addEventListener("pointermove", (event) => this.dragged && this.place(this.at(event)));
    this.root.addEventListener("pointerup", () => this.up());
    this.root.addEventListener("pointercancel", () => this.cancel());
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.seen = new ResizeObserver(() => this.draw());
    this.seen.observe(this.root);
    this.dragged = false;
  }

  update({ data, setTriggerValue }) {
    this.data = data;
    this.setTrigger = setTriggerValue;
    this.root.setAttribute("aria-valuemax", (data.seconds - data.length).toFixed(1));
    if (!this.dragged) this.place(data.start);
    this.draw();
  }

  // Shows where the section begins.
  place(start) {
    const { seconds, length } = this.data;
    this.start = Math.min(Math.max(start, 0), seconds - length);
    this.frame.style.insetInlineStart = `${(100 * this.start) / seconds}%`;
    this.frame.style.width = `${(100 * length) / seconds}%`;
    this.root.setAttribute("aria-valuenow", this.start.toFixed(1));
    this.root.setAttribute("aria-valuetext", `${this.start.toFixed(1)} to ${(this.start + length).toFixed(1)} s`);
  }

  // The section whose middle is under the pointer, in whole tenths of a second.
  at(event) {
    const box = this.root.getBoundingClientRect();
    const { seconds, length } = this.data;
    return Math.round(10 * (((event.clientX - box.left) / box.width) * seconds - length / 2)) / 10;
  }

  down(event) {
    if (event.button !== 0) return;
    this.root.setPointerCapture(event.pointerId);
    this.dragged = true;
    this.place(this.at(event));
  }

  up() {
    if (!this.dragged) return;
    this.dragged = false;
    this.send();
  }

  cancel() {
    this.dragged = false;
    this.place(this.data.start);
  }

  key(event) {
    const { seconds, length } = this.data;
    const starts = { ArrowLeft: this.start - length, ArrowRight: this.start + length, Home: 0, End: seconds };
    if (isTyping(event) || !(event.key in starts)) return;
    event.preventDefault();
    this.place(starts[event.key]);
    this.send();
  }

  send() {
    if (this.start !== this.data.start) this.setTrigger("start", this.start);
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !this.data) return;
    const { levels, covered } = this.data;
    this.canvas.width = Math.round(width * devicePixelRatio);
    this.canvas.height = Math.round(height * devicePixelRatio);
    const brush = this.canvas.getContext("2d");
    brush.fillStyle = getComputedStyle(this.canvas).color;
    const wide = (covered * this.canvas.width) / levels.length;
    const middle = this.canvas.height / 2;
    levels.forEach((level, number) => {
      const half = Math.max(level * 0.9 * middle, 0.5);
      brush.fillRect(number * wide, middle - half, Math.max(wide, 1), 2 * half);
    });
  }

  end() {
    this.seen.disconnect();
    this.root.remove();
  }
}
