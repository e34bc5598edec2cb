// The bar of presentation mode: the pages of a talk in order. Page Down and Page Up, the keys of a presenter's remote,
// move through them.

const stages = new WeakMap();

export default function (component) {
  return mounted(stages, component, Stage);
}

class Stage {
  constructor(root) {
    this.root = root.appendChild(make("nav", "stage"));
    this.root.setAttribute("aria-label", "Presentation");
    this.key = this.key.bind(this);
    document.addEventListener("keydown", this.key);
  }

  update({ data, setTriggerValue }) {
    this.at = data.at;
    this.count = data.stops.length;
    this.go = (where) => setTriggerValue("go", String(where));
    const stops = data.stops.map((title, number) => this.button("action", title, number));
    stops[data.at]?.setAttribute("aria-current", "page");
    this.root.replaceChildren(...stops, make("kbd", "", "Page Down"), this.button("action leave", "Exit presentation", "leave"));
  }

  button(className, title, where) {
    const button = make("button", className, title);
    button.type = "button";
    button.addEventListener("click", () => this.go(where));
    return button;
  }

  key(event) {
    const step = { PageDown: 1, PageUp: -1 }[event.key];
    if (!step || isTyping(event)) return;
    event.preventDefault();
    this.go((Math.max(this.at, step > 0 ? -1 : 0) + step + this.count) % this.count);
  }

  end() {
    document.removeEventListener("keydown", this.key);
    this.root.remove();
  }
}
