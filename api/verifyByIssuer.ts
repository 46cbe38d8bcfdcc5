// A JWT of an outside issuer, against the keys that it shows.

import { errors, type JSONWebKeySet, type JWTVerifyOptions } from "jose";
import type { ErrorCode } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { signingAlgorithms } from "./authenticators/dpop.ts";
import type { ApiDeps } from "./deps.ts";
import { orRefuse } from "./orRefuse.ts";
import { verifyJwt } from "./verifyJwt.ts";

/**
 * What the issuer of that URL signed, in time, for this audience.
 * @throws LetheError with `code` when it did not; issuer_unavailable when it does not show its keys
 */
export function verifyByIssuer(
	{ clock, issuerKeys }: Pick<ApiDeps, "clock" | "issuerKeys">,
	code: ErrorCode,
	url: string,
	token: string,
	options: Required<Pick<JWTVerifyOptions, "audience" | "maxTokenAge" | "requiredClaims">>,
) {
	const verify = async (unknownKey: boolean) => {
		const set = (await issuerKeys.get(url, unknownKey)) as JSONWebKeySet;
		return verifyJwt(token, set, {
			...options,
			issuer: url,
			algorithms: signingAlgorithms,
			currentDate: new Date(clock()),
			clockTolerance: limits.clockSkewMs / 1000,
		});
	};
	return orRefuse(code, () =>
		verify(false).catch((error: unknown) => {
			if (error instanceof errors.JWKSNoMatchingKey) return verify(true);
			throw error;
		}),
	);
}
