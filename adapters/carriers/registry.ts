// Every carrier there is: one line each; a contract suite runs over this table.

import type { Carrier, CarrierFactory } from "./carrier.ts";
import { createSimulator } from "./simulator.ts";

/** Name, as in callback URLs and send queues → factory. */
export const carriers: Record<string, CarrierFactory> = {
	simulator: createSimulator,
};

/**
 * Opens one send queue's carrier.
 * @param options `allowSimulator` is false in production
 * @throws RangeError for a name that is unknown, or refused here; TypeError from the carrier for unusable settings
 */
export function openCarrier(
	name: string,
	options: Parameters<CarrierFactory>[0] & { allowSimulator: boolean },
): Carrier {
	const factory = Object.hasOwn(carriers, name) ? carriers[name] : undefined;
	if (!factory) throw new RangeError(`No carrier has this name. There are: ${Object.keys(carriers).join(", ")}.`);
	if (factory === createSimulator && !options.allowSimulator) {
		throw new RangeError("The simulated carrier is refused in production.");
	}
	return factory({ settings: options.settings, secrets: options.secrets });
}
