// `npm run policies:seal`: lists new versions of policy packs as published, after their cases have passed; from then on they never change.

import { PackError } from "../policies/faults.ts";
import { sealPacks } from "../policies/load.ts";

try {
	const added = sealPacks(new Date().toISOString().slice(0, 10));
	console.log(added.length > 0 ? `published: ${added.join(", ")}` : "nothing new; all as published");
} catch (error) {
	if (!(error instanceof PackError)) throw error;
	console.error(error.message);
	process.exitCode = 1;
}
