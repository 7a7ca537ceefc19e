// Shows the service's own OpenAPI description. All addresses are relative, so that the page works behind a proxy that
// adds a prefix to the path; "Try it out" then needs that prefix, which only the browser knows.
"use strict";

(async () => {
  const address = new URL("openapi.json", window.location.href);
  const spec = await (await fetch(address)).json();
  const prefix = address.pathname.slice(0, -spec["x-path"].length);
  spec.servers = [{ url: prefix || "/" }];
  spec.info.description = spec.info.description.replaceAll("http://127.0.0.1:8080", address.origin + prefix);
  window.SwaggerUIBundle({
    spec,
    dom_id: "#swagger-ui",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0, // the schemas, folded
    defaultModelExpandDepth: 2,
    displayRequestDuration: true,
    validatorUrl: null, // the badge would send the address of the description to an outside service
    presets: [window.SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
})();
