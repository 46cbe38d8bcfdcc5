// What jose can't read or verify, as an error of ours.

import { errors } from "jose";
import { type ErrorCode, LetheError } from "../domain/errors.ts";

/** What `read` answers. @throws LetheError with that code where a token is malformed or not what it must be */
export async function orRefuse<T>(code: ErrorCode, read: () => Promise<T>): Promise<T> {
	try {
		return await read();
	} catch (error) {
		if (error instanceof errors.JOSEError || error instanceof TypeError) throw new LetheError(code, { cause: error });
		throw error;
	}
}
