// What `lethe verify` says of a canary's signed result.

import type { CanaryVerdict } from "../../audit/canaryResult.ts";
import { pinAnew } from "./pinAnew.ts";

const reasons: Record<Extract<CanaryVerdict, { valid: false }>["reason"], string> = {
	malformed: "it is not a compact JWS as Lethe writes it",
	wrong_type: "it is not a canary's result signed with Ed25519",
	key_not_pinned: `the key that it names is not among those you have pinned; ${pinAnew}`,
	bad_signature: "its signature does not fit the pinned key: it was forged or edited",
	schema: "its content is not a canary's result of a version known here",
	not_canonical: "its content is not in canonical form",
	inconsistent: "it claims more than the places that it lists bear out",
};

export function describeCanary(verdict: CanaryVerdict): string {
	if (!verdict.valid) return `NOT VALID (${verdict.reason}): ${reasons[verdict.reason]}.`;
	const { kid, canary } = verdict;
	const { id, result, version, begunAt, endedAt, messages, places, checks } = canary;
	return [
		`VALID: canary ${id}, ${result}`,
		`  version ${version}, ${begunAt} to ${endedAt}, key ${kid}`,
		`  ${messages.sent} marked messages, ${messages.final} of them final`,
		"Places:",
		...places.map(({ place, read, hits, controls }) => {
			const fate = hits > 0 ? `${hits} hit(s)` : read ? "clean" : "NOT READ";
			return `  ${place.padEnd(30)}${fate}, controls ${controls.found}/${controls.planted}`;
		}),
		...checks.filter(({ ok }) => !ok).map(({ check }) => `FAILED ${check}`),
	].join("\n");
}
