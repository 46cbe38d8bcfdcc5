// Whether what a recipient wrote was written to a send queue's sender, whichever way its carrier writes that.

import type { InboundMessage } from "../adapters/carriers/carrier.ts";

/**
 * A number is one with and without its plus; a sender that is a service is each of the numbers in it. What names neither was
 * brought to the queue's own address.
 */
export function isWrittenTo(sender: string, { to, service }: Pick<InboundMessage, "to" | "service">): boolean {
	if (to === undefined) return service === undefined || service === sender;
	return withoutPlus(to) === withoutPlus(sender) || service === sender;
}

function withoutPlus(number: string): string {
	return number.replace(/^\+(?=\d)/, "");
}
