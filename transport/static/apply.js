// The token of an invitation stands behind the # of the address, which browsers never send: it is in no log on the way.
// Opening the page changes nothing, because programs that look for harm in mails open every link.
import { ask, at, attempt, done, element, onClick, onSubmit, speak, tell, words } from "./asking.js";

const INVITATION = `query ($token: String!) { invitation(token: $token) {
  candidateName name email website country } }`;
const APPLY = `mutation ($input: ApplyForAccountInput!) { applyForAccount(input: $input) {
  __typename ... on ApplicationReceived { message } ... on Refusal { message }
  ... on InvalidInput { problems { message } } } }`;
const DECLINE = `mutation ($input: DeclineInvitationInput!) { declineInvitation(input: $input) {
  __typename ... on InvitationDeclined { message } ... on Refusal { message } } }`;

const WORDS = {
  en: {
    title: "Apply for an institution's account",
    inviter: (name) => `${name} would like to send your institution an exam result.`,
    ended: "The link of the invitation was used before, or is too old. You can apply all the same.",
    EDUCATION: "University, college or school",
    EMPLOYER: "Employer",
    GOVERNMENT: "Government office",
  },
  ja: {
    title: "機関アカウントのお申し込み",
    inviter: (name) => `${name} さんが、貴機関への試験結果の送信を希望しています。`,
    ended: "招待のリンクは使用済みか、期限切れです。このままお申し込みいただけます。",
    EDUCATION: "大学・短期大学・学校",
    EMPLOYER: "企業",
    GOVERNMENT: "官公庁",
  },
};
const COUNTRIES =
  "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY " +
  "BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK " +
  "FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR " +
  "IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK " +
  "ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM " +
  "PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF " +
  "TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";
const FIELDS = ["name", "department", "kind", "country", "city", "website", "applicantName", "email"];
let token = location.hash.slice(1) || null;

function list() {
  const named = new Intl.DisplayNames([words.locale], { type: "region" });
  const countries = COUNTRIES.split(" ").map((code) => ({ code, name: named.of(code) }));
  countries.sort((one, other) => one.name.localeCompare(other.name, words.locale));
  at("country").append(element("option", ""));
  for (const { code, name } of countries) at("country").append(element("option", name, { value: code }));
  for (const option of at("kind").options) option.textContent = words[option.value];
}

async function fill() {
  if (!token) return;
  const { invitation } = await ask(INVITATION, { token });
  if (!invitation) {
    token = null;
    return tell("", words.ended);
  }
  for (const name of ["name", "email", "website", "country"]) at(name).value = invitation[name] ?? "";
  at("inviter").textContent = words.inviter(invitation.candidateName);
  at("invited").hidden = false;
}

speak(WORDS);
list();
attempt(document, fill);
onClick(at("decline"), async () => {
  const { declineInvitation: answer } = await ask(DECLINE, { input: { token } });
  if (answer.__typename !== "InvitationDeclined") return tell("bad", answer.message);
  at("invited").hidden = true;
  done(at("form"), answer.message);
});
onSubmit(at("form"), async () => {
  const given = Object.fromEntries(FIELDS.map((name) => [name, at(name).value || null]));
  const input = { ...given, language: document.documentElement.lang, invitation: token };
  const { applyForAccount: answer } = await ask(APPLY, { input });
  if (answer.__typename !== "ApplicationReceived") {
    return tell("bad", ...(answer.problems ?? [answer]).map(({ message }) => message));
  }
  at("invited").hidden = true;
  done(at("form"), answer.message);
});
