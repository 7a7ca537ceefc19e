// Asks for a token where the service needs one.

import { hasToken, keepToken } from "./api_client.js";

/** Call `onToken` when a token was entered; return the function that opens the dialog and says why. */
export function setUpTokenDialog(onToken) {
  const dialog = document.querySelector("#token-dialog");
  const field = document.querySelector("#token");
  const problem = document.querySelector("#token-problem");
  document.querySelector("#token-form").addEventListener("submit", () => {
    keepToken(field.value.trim());
    field.value = "";
    problem.textContent = "";
    onToken();
  });
  return (reason) => {
    if (dialog.open) return;
    dialog.showModal();
    // That one is required is what the dialog says anyway. Screen readers announce what changes in an open dialog.
    if (hasToken()) problem.textContent = reason;
  };
}
