// Has an invited person enrol over HTTP, as a browser or `lethe login` would.

import { TOTP } from "otpauth";

export const personPassword = "ferry tangled under oak";

/** The token of a session of whoever was invited, signed in just now. @throws Error with what the API answered */
export async function enrolPerson(apiUrl: string, enrolmentToken: string): Promise<string> {
	const post = async (path: string, body: object) => {
		const headers = { "content-type": "application/json" };
		const response = await fetch(`${apiUrl}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
		const answer = (await response.json()) as { totp: { secret: string }; token: string };
		if (!response.ok) throw new Error(JSON.stringify(answer));
		return answer;
	};
	const { totp } = await post("/v1/enrolment", { token: enrolmentToken });
	const code = new TOTP({ secret: totp.secret }).generate();
	const given = { token: enrolmentToken, password: personPassword, code, as: "token" };
	return (await post("/v1/enrolment/complete", given)).token;
}
