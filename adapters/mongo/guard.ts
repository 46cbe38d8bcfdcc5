// The store's failures as one code; the driver's text, which may quote documents, stays inside.

import { LetheError } from "../../domain/errors.ts";

/** Runs a store call. @throws LetheError store_unavailable for any failure of the driver or the server */
export async function guardStore<T>(call: () => Promise<T>): Promise<T> {
	try {
		return await call();
	} catch (error) {
		if (error instanceof LetheError) throw error;
		// The cause keeps the error's name and code only: its message may hold a document.
		const { name, code } = error as { name?: string; code?: number | string };
		throw new LetheError("store_unavailable", { cause: `${name ?? "Error"} ${code ?? ""}`.trim() });
	}
}
