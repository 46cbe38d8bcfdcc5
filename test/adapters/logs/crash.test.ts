// What nobody catches ends the process, told by name and code; what it quotes is on no stream.

import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../../harness/programs.ts";

const program = (thrown: string) => `
	import { tellCrashes } from "./adapters/logs/crash.ts";
	const said = [];
	tellCrashes({ log: { fatal: (fields) => said.push(fields) }, flush: async () => console.log(JSON.stringify(said)) });
	setInterval(() => undefined, 1000);
	${thrown}
`;

test("an uncaught error, a rejection or a thrown text ends it with 1, and quotes nothing", async () => {
	const error = 'Object.assign(new TypeError("call +4915112345678"), { code: "ERR_ODD" })';
	const thrown: [string, string][] = [
		[`setTimeout(() => { throw ${error}; })`, '[{"code":"ERR_ODD"}]'],
		[`void Promise.reject(${error})`, '[{"code":"ERR_ODD"}]'],
		['setTimeout(() => { throw "call +4915112345678"; })', '[{"code":"something"}]'],
	];
	for (const [statement, logged] of thrown) {
		const {
			code,
			out,
			error: printed,
		} = await run(process.execPath, ["--input-type=module", "-e", program(statement)]);
		assert.deepEqual([code, out], [1, `${logged}\n`], statement);
		assert.match(printed, /^ended by an uncaught \w+; the log says more\n$/);
	}
});
