// What Cloudflare's SDK for Python Workers asks of its host, as far as an example needs it.
export const _cloudflare_compat_flags = {
  python_workflows_implicit_dependencies: true,
  python_request_headers_preserve_commas: true,
};
export const _pyodide_entrypoint_helper = {
  cloudflareWorkersModule: { env: {} },
  cloudflareSocketsModule: {},
  doAnImport: async () => ({}),
  patch_env_helper: () => {},
  patchWaitUntil: () => {},
};
