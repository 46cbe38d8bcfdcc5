// `lethe policy`: what the packs say, why a message was decided as it was, and how a pack is changed.

import { Command } from "commander";
import { addExamples } from "./examples.ts";
import { approveCommand } from "./policy/approve.ts";
import { checkCommand } from "./policy/check.ts";
import { decideCommand } from "./policy/decide.ts";
import { diffCommand } from "./policy/diff.ts";
import { explainCommand } from "./policy/explain.ts";
import { listCommand } from "./policy/list.ts";
import { proposalsCommand } from "./policy/proposals.ts";
import { proposeCommand } from "./policy/propose.ts";
import { publishCommand } from "./policy/publish.ts";
import { showCommand } from "./policy/show.ts";
import { simulateCommand } from "./policy/simulate.ts";
import { testCommand } from "./policy/test.ts";
import { withdrawCommand } from "./policy/withdraw.ts";

/** Exit 0: yes, or done; 1: a negative answer; 2: misuse. The steps of a change are told in docs/policies.md. */
export function policyCommand(): Command {
	const policy = new Command("policy").description("what the policy packs say, and how they are changed");
	const asking = [decideCommand(), explainCommand(), listCommand(), showCommand(), diffCommand(), testCommand()];
	const changing = [proposeCommand(), proposalsCommand(), checkCommand(), simulateCommand(), approveCommand()];
	for (const command of [...asking, ...changing, publishCommand(), withdrawCommand()]) policy.addCommand(command);
	return addExamples(policy, examples);
}

const examples = {
	decide: "lethe policy decide --facts facts.json",
	explain: "lethe policy explain msg_…",
	list: "lethe policy list",
	show: "lethe policy show defaults@1.0.0",
	diff: "lethe policy diff defaults@1.4.1 defaults@1.4.0",
	test: "lethe policy test fr.yaml",
	propose:
		'lethe policy propose --pack defaults --set defaults.retention:retention.content.max=P7D --why "A week will do"',
	proposals: "lethe policy proposals --limit 50",
	check: "lethe policy check prp_…",
	simulate: "lethe policy simulate prp_…",
	approve: "lethe policy approve prp_…",
	publish: "lethe policy publish prp_… --wait",
	withdraw: "lethe policy withdraw prp_…",
};
