// The bar of presentation mode: the stops of a talk in order. The keys of a presenter's remote go through them (Page Down
// and Page Up, or arrows), and B blanks the screen.

const stages = new WeakMap();
const STEPS = { PageDown: 1, PageUp: -1, ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export default function (component) {
  return mounted(stages, component, Stage);
}

class Stage {
  constructor(root) {
    this.root = root.appendChild(make("nav", "stage"));
    this.root.setAttribute("aria-label", "Presentation");
    // Outside of the page's layout, so that it covers all of it.
    this.blank = document.body.appendChild(make("div"));
    this.blank.style = "position: fixed; inset: 0; z-index: 2147483647; background: #000;";
    this.blank.setAttribute("data-blank", "");
    this.blank.hidden = true;
    this.key = this.key.bind(this);
    document.addEventListener("keydown", this.key);
  }

  update({ data, setTriggerValue }) {
    this.at = data.at;
    this.last = data.stops.length - 1;
    this.go = (where) => setTriggerValue("go", String(where));
    const stops = data.stops.map((title, number) => this.button("action", title, number));
    stops[data.at]?.setAttribute("aria-current", "page");
    this.root.replaceChildren(...stops, this.button("action leave", "Exit presentation", "leave"));
  }

  button(className, title, where) {
    const button = make("button", className, title);
    button.addEventListener("click", () => this.go(where));
    return button;
  }

  key(event) {
    if (isTyping(event)) return;
    // The pads of the blind test have a B of their own.
    const blanks = !event.defaultPrevented && (event.key.toLowerCase() === "b" || event.key === ".");
    if (blanks || !this.blank.hidden) {
      // Any key brings the page back.
      this.blank.hidden = !this.blank.hidden;
      event.preventDefault();
      return;
    }
    const step = STEPS[event.key];
    // An arrow belongs to what has the focus: a slider, a tile, the plane.
    if (!step || event.defaultPrevented || (event.key.startsWith("Arrow") && isFocused(event))) return;
    event.preventDefault();
    const next = Math.min(Math.max(this.at + step, 0), this.last);
    if (next !== this.at) this.go(next);
  }

  end() {
    document.removeEventListener("keydown", this.key);
    this.blank.remove();
    this.root.remove();
  }
}

function isFocused(event) {
  const target = event.composedPath()[0];
  return target instanceof HTMLElement && Boolean(target.closest("[tabindex], button, input, a, summary"));
}
