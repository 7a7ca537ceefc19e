// Asks for a token where the service needs one.

import { keepToken } from "./api_client.js";

/** Call `onToken` when a token was entered; return the function that opens the dialog. */
export function setUpTokenDialog(onToken) {
  const dialog = document.querySelector("#token-dialog");
  const field = document.querySelector("#token");
  document.querySelector("#token-form").addEventListener("submit", () => {
    keepToken(field.value.trim());
    field.value = "";
    onToken();
  });
  return () => {
    if (!dialog.open) dialog.showModal();
  };
}
