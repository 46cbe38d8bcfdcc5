// The store's failures as one code; the driver's text, which may quote documents, stays inside.

import { LetheError } from "../../domain/errors.ts";

/** Runs a store call. @throws LetheError store_unavailable for any failure of the driver or the server */
export async function guardStore<T>(call: () => Promise<T>): Promise<T> {
	try {
		return await call();
	} catch (error) {
		throw toLetheError("store_unavailable", error);
	}
}

/**
 * Runs a write whose caller must know whether it took effect.
 * @throws LetheError store_unavailable when it was never sent; outcome_unknown for any other failure
 */
export async function guardWrite<T>(call: () => Promise<T>): Promise<T> {
	try {
		return await call();
	} catch (error) {
		throw toLetheError(wasNeverSent(error as DriverError) ? "store_unavailable" : "outcome_unknown", error);
	}
}

type DriverError = { name?: string; code?: number | string; errorResponse?: unknown; errorLabels?: string[] };

// What the driver throws before it has a connection to send on; of those whose connection was cleared, only the waiting.
const beforeSending = new Set([
	"MongoServerSelectionError",
	"MongoNotConnectedError",
	"MongoTopologyClosedError",
	"MongoPoolClosedError",
	"MongoPoolClearedError",
	"MongoWaitQueueTimeoutError",
]);

function wasNeverSent(error: DriverError): boolean {
	// A bulk write wraps the error that ended it.
	const { name, errorLabels } = (error.errorResponse ?? error) as DriverError;
	return beforeSending.has(name ?? "") || (errorLabels ?? []).includes("HandshakeError");
}

// The cause keeps the error's name and code only: its message may hold a document.
function toLetheError(as: "store_unavailable" | "outcome_unknown", error: unknown): LetheError {
	if (error instanceof LetheError) return error;
	const { name, code } = error as DriverError;
	return new LetheError(as, { cause: `${name ?? "Error"} ${code ?? ""}`.trim() });
}
