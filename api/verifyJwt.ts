// A JWT against a set of keys, any of which may be the one that signed it.

import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyOptions, jwtVerify } from "jose";

/**
 * What was signed. Where neither `kid` nor `alg` tells the keys apart, as while one takes the other's place, each is tried.
 * @throws JOSEError as `jwtVerify` does
 */
export async function verifyJwt(token: string, set: JSONWebKeySet, options: JWTVerifyOptions) {
	try {
		return await jwtVerify(token, createLocalJWKSet(set), options);
	} catch (error) {
		if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
		for await (const key of error) {
			try {
				return await jwtVerify(token, key, options);
			} catch (refused) {
				if (!(refused instanceof errors.JWSSignatureVerificationFailed)) throw refused;
			}
		}
		throw new errors.JWSSignatureVerificationFailed();
	}
}
