// Runs one Python file in Pyodide. The argument is a JSON object:
//   pyodide  the folder of the npm package
//   mounts   folders to show to Python, by their path there
//   path     what goes to the front of sys.path
//   modules  a file whose exports Python may import, each as a module
//   main     the file to run, by its path in Python
//   given    text, for the file's coroutine function main()
import { pathToFileURL } from "node:url";

const order = JSON.parse(process.argv[2]);
const load = (file) => import(pathToFileURL(file).href);
const { loadPyodide } = await load(`${order.pyodide}/pyodide.mjs`);
const python = await loadPyodide();
for (const [place, folder] of Object.entries(order.mounts)) {
  python.FS.mkdirTree(place);
  python.mountNodeFS(place, folder);
}
if (order.modules) {
  for (const [name, module] of Object.entries(await load(order.modules))) {
    python.registerJsModule(name, module);
  }
}
python.globals.set("order", python.toPy(order));
try {
  // As a coroutine: only then may Python wait for JavaScript (WebAssembly JSPI).
  await python.runPythonAsync(`
import runpy, sys
sys.dont_write_bytecode = True
sys.path[:0] = order["path"]
await runpy.run_path(order["main"])["main"](order["given"])
`);
} catch (error) {
  console.error(String(error.message ?? error).slice(-4000));
  process.exitCode = 1;
}
