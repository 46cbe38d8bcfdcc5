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

// Web Crypto has words of its own for a key that is none, such as a point that is not on its curve, or one that says it is
// for something else.
function isRefusal(error: unknown): boolean {
	return error instanceof errors.JOSEError || error instanceof TypeError || error instanceof DOMException;
}
