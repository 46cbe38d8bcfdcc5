// A region that a caller states is one of the recipient's country: what it says otherwise can't be judged by.

import { LetheError } from "../domain/errors.ts";
import { isRegion } from "../policies/zones.ts";
import type { Recipient } from "./recipient.ts";

/** @param region ISO 3166-2 @throws LetheError invalid_request, by the field `recipientRegion` */
export function refuseRegion(region: string | undefined, { country }: Pick<Recipient, "country">): void {
	if (region === undefined || (region.startsWith(`${country}-`) && isRegion(region))) return;
	const detail = "Not a region of the recipient's country.";
	throw new LetheError("invalid_request", { errors: [{ pointer: "/recipientRegion", detail }] });
}
