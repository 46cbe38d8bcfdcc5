// A date that something is to happen on lies ahead: one that is past is a slip, and would take effect in silence.

import { LetheError } from "../domain/errors.ts";
import type { ApiDeps } from "./deps.ts";

/** @throws LetheError invalid_request, by the field that `pointer` names, unless `time` (RFC 3339) is absent or to come */
export function refusePast({ clock }: Pick<ApiDeps, "clock">, pointer: string, time: string | undefined): void {
	if (time === undefined || Date.parse(time) > clock()) return;
	throw new LetheError("invalid_request", { errors: [{ pointer, detail: "It lies in the past." }] });
}
