import { printable } from "../delivery/printable.ts";

/** HTML that is safe to send. `html` makes it and escapes every value that is not Markup itself. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Value = Markup | string | number | null | undefined | Value[];

export function html(strings: TemplateStringsArray, ...values: Value[]): Markup {
  return new Markup(strings.reduce((text, part, index) => text + render(values[index - 1]) + part));
}

function render(value: Value): string {
  if (value === null || value === undefined) return "";
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(render).join("");
  return printable(String(value)).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
