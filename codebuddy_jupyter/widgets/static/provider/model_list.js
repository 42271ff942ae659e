/** The field for the model, whose list the browser filters by the text in the field. */

/** Keys with which the user edits the text that stands there. */
const EDITS = ["ArrowLeft", "ArrowRight", "Home", "End", "Backspace", "Delete"];
const ERASES = ["Backspace", "Delete"];

/** Takes the text away until something is typed, so that all entries are offered. */
class ModelList {
  /** @param {HTMLInputElement} input */
  constructor(input) {
    this.input = input;
    this.text = input.value;
    this.placeholder = input.placeholder;
    this.isAway = true;
    this.onKey = (/** @type {KeyboardEvent} */ event) => this.takeKey(event.key);
    input.addEventListener("keydown", this.onKey);
    input.addEventListener("blur", () => this.end(), { once: true });
    input.placeholder = this.text;
    input.value = "";
  }

  /** @param {string} key */
  takeKey(key) {
    if (!this.isAway || this.input.value || !EDITS.includes(key)) return;
    this.bringBack();
    if (ERASES.includes(key)) this.input.select();
  }

  bringBack() {
    this.isAway = false;
    this.input.placeholder = this.placeholder;
    if (!this.input.value) this.input.value = this.text;
  }

  end() {
    this.input.removeEventListener("keydown", this.onKey);
    if (this.isAway) this.bringBack();
  }
}

/**
 * Offer all models in each field with a list that gets the focus.
 * @param {Element} form
 */
export function offerAll(form) {
  form.addEventListener("focusin", ({ target }) => {
    const input = /** @type {HTMLInputElement} */ (target);
    if (input.matches("input[list]") && input.value) new ModelList(input);
  });
}
