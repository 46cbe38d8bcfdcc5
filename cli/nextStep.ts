// What may follow in a person's request, as a command: `lethe requests` says it after each step.

import type { SubjectRequest } from "../client/types.ts";

/** Words in capitals are for the caller to fill in; undefined where nothing is left to do. */
export function nextStep(request: SubjectRequest): string | undefined {
	const { id, kind, state, clocks, tasks, exports } = request;
	if (state === "closed") return undefined;
	if (clocks.ackBy && !clocks.acknowledgedAt) return `lethe requests acknowledge ${id}`;
	if (state === "received") {
		return `lethe requests identity ${id} --method WORD --evidence TOKEN --owned-from TIME`;
	}
	if (state === "executing") return `lethe requests show ${id}`;
	const task = tasks.find(({ decided }) => !decided);
	if (task) return `lethe requests decide ${id} --task ${task.name} --verdict VERDICT --ground WORD`;
	const isExport = kind === "access" || kind === "portability";
	if (isExport && !exports.some(({ report }) => report === "data")) {
		return `lethe requests export ${id} --purpose WORD --out FILE`;
	}
	return `lethe requests close ${id} --outcome OUTCOME`;
}
