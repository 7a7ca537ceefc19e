// Announces what happens to runs: to screen readers always, by notifications of the browser if they were turned on.

import { ofBrowser } from "./storage.js";

const CHOICE = "lens_perf.notify";
const ICON = "assets/dashboard/icon.svg";

export class Notifications {
  constructor(button, status) {
    Object.assign(this, { button, status });
    // Browsers offer them to pages of https and of this machine alone.
    button.hidden = !("Notification" in window && window.isSecureContext);
    button.addEventListener("click", () => this.toggle());
    this.show();
  }

  /** Whether the browser may be asked to show notifications now. */
  get isOn() {
    return !this.button.hidden && Notification.permission === "granted" && ofBrowser.get(CHOICE) === "1";
  }

  async toggle() {
    const turnsOn = !this.isOn;
    if (turnsOn && Notification.permission === "default") await Notification.requestPermission();
    ofBrowser.set(CHOICE, turnsOn ? "1" : "0");
    const isRefused = turnsOn && Notification.permission === "denied";
    this.status.textContent = isRefused
      ? "The browser blocks notifications of this page."
      : `Notifications are ${this.isOn ? "on" : "off"}.`;
    this.show(isRefused);
  }

  show(isRefused = false) {
    const text = isRefused
      ? "The browser blocks notifications of this page"
      : "Notify when a run stalls, ends, or reports NaN";
    this.button.setAttribute("aria-pressed", String(this.isOn));
    this.button.title = text;
  }

  /** Announce events of run_events.js. */
  announce(events) {
    if (!events.length) return;
    this.status.textContent = events.map(({ text }) => `${text}.`).join(" ");
    if (!this.isOn) return;
    for (const { key, text, isNews } of events) if (isNews) new Notification(text, { tag: key, icon: ICON });
  }
}
