// What jose can't read or verify, as an error of ours.

import { errors } from "jose";
import { type ErrorCode, LetheError } from "../domain/errors.ts";

/** What `read` answers. @throws LetheError with that code where a token is malformed or not what it must be */
export async function orRefuse<T>(code: ErrorCode, read: () => Promise<T>): Promise<T> {
	try {
		return await read();
	} catch (error) {
		if (isRefusal(error)) throw new LetheError(code, { cause: error });
		throw error;
	}
}

// Web Crypto has its own word for a key that is none, such as a point that is not on its curve.
function isRefusal(error: unknown): boolean {
	const isNoKey = error instanceof DOMException && error.name === "DataError";
	return error instanceof errors.JOSEError || error instanceof TypeError || isNoKey;
}
