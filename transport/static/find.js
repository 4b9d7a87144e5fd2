import { ask, at, day, facts, factsOfResult, letIn, moment, onSubmit, speak, tell, withSession, words } from "./asking.js";

const LOG_IN = `mutation ($input: LogInByEmailInput!) { logInVerifier(input: $input) {
  __typename ... on LoggedIn { endsAt } ... on Refusal { message } } }`;
const OFFICE = `{ viewer { verifier { language } } organisation { institution { shownAs } } }`;
const FIND = `query ($input: FindResultInput!) { findResult(input: $input) { verdict retryAfter problems { message }
  result { name nativeName dateOfBirth qualification examDate headline overallScoreShown cefr statementNumber version
    correctedAt skillScores { skill score } } } }`;

const WORDS = {
  en: {
    title: "Find a candidate",
    GENUINE: "Genuine. This is what stands as of now; compare it with the paper:",
    SUPERSEDED: "Superseded. What is printed stands no more; this does:",
    WITHHELD: "Withheld. Ask the candidate to contact the exam centre.",
    REVOKED: "Revoked. This result does not hold any more.",
    NOT_MATCHED: "Not matched. No released result has this number and this date of birth. Check what you typed.",
    NOT_CHECKED: "It can not be checked now. That says nothing about the statement.",
    tooMany: (time) => `Too many look-ups. Try again after ${time}.`,
    notAllowed: "Your account may read results, and look none up. Ask your Primary User.",
    person: "Candidate",
    dateOfBirth: "Date of birth",
    qualification: "Qualification",
    examDate: "Exam date",
    version: "Version of the statement",
    correctedAt: "Corrected",
  },
  ja: {
    title: "受検者の照会",
    GENUINE: "真正です。現在有効な内容は次のとおりです。書面と照合してください。",
    SUPERSEDED: "無効になった版です。現在有効な内容は次のとおりです。",
    WITHHELD: "保留されています。試験センターに問い合わせるよう受検者にお伝えください。",
    REVOKED: "取り消されています。この試験結果は現在有効ではありません。",
    NOT_MATCHED: "一致するものがありません。この番号と生年月日の公開済みの試験結果は見つかりません。入力内容をご確認ください。",
    NOT_CHECKED: "現在確認できません。ステートメントの真偽を示すものではありません。",
    tooMany: (time) => `照会の回数が多すぎます。${time} 以降にもう一度お試しください。`,
    notAllowed: "お使いのアカウントでは照会できません。主担当者にお問い合わせください。",
    person: "受検者",
    dateOfBirth: "生年月日",
    qualification: "試験名",
    examDate: "試験日",
    version: "ステートメントの版",
    correctedAt: "訂正日時",
  },
};
const VERDICTS = ["GENUINE", "SUPERSEDED", "WITHHELD", "REVOKED", "NOT_MATCHED", "NOT_CHECKED"];
let typed = 0;

// What was withheld or revoked has its verdict in place of a status.
function factsOf(found) {
  const { name, nativeName } = found;
  const award = factsOfResult(found).filter(([label]) => label !== words.status);
  return facts([
    [words.person, nativeName ? `${name} (${nativeName})` : name],
    [words.dateOfBirth, day(found.dateOfBirth)],
    [words.qualification, found.qualification],
    [words.examDate, day(found.examDate)],
    ...award,
    [words.version, found.version],
    [words.correctedAt, found.correctedAt && moment(found.correctedAt)],
  ]);
}

function show({ verdict, result, problems }) {
  if (!VERDICTS.includes(verdict)) throw new Error(verdict);
  const lines = [words[verdict], ...problems.map(({ message }) => message)];
  tell(verdict === "GENUINE" ? "good" : "bad", ...lines, ...(result ? [factsOf(result)] : []));
}

async function find() {
  const turn = typed;
  const input = { statementNumber: at("number").value, dateOfBirth: at("born").value, purpose: at("purpose").value };
  try {
    const { findResult: answer } = await ask(FIND, { input });
    if (turn === typed) show(answer); // an earlier answer never stands under later numbers
  } catch (error) {
    if (error.code === "UNAUTHENTICATED") return enter();
    if (error.code === "FORBIDDEN") return tell("bad", words.notAllowed);
    if (error.problems) return tell("bad", ...error.problems.map(({ message }) => message));
    if (error.retryAfter) return tell("bad", words.tooMany(moment(error.retryAfter)));
    throw error;
  }
}

async function enter() {
  const { viewer: { verifier }, organisation } = await ask(OFFICE);
  speak(WORDS, verifier?.language);
  letIn(verifier !== null);
  at("owner").textContent = organisation?.institution.shownAs ?? "";
}

speak(WORDS);
onSubmit(at("form"), find);
at("form").addEventListener("input", () => {
  typed += 1;
  tell("");
});
withSession(LOG_IN, "email", enter);
