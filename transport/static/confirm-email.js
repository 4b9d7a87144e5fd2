// The token stands behind the # of the address, which browsers never send: it is in no log on the way.
// Opening the page changes nothing, because programs that look for harm in mails open every link.
import { ask, at, done, onSubmit, speak, tell, words } from "./asking.js";

const MUTATION = `mutation ($input: ConfirmEmailInput!) { confirmEmail(input: $input) {
  __typename ... on EmailConfirmed { message } ... on Refusal { message } } }`;

const WORDS = {
  en: {
    title: "Confirm your new e-mail address",
    EmailConfirmed: "Your new e-mail address is confirmed. From now on mail goes there.",
    LinkNotValid: "This link was used before, is too old, or is not complete. Change your e-mail address again to get a new one.",
  },
  ja: {
    title: "新しいメールアドレスの確認",
    EmailConfirmed: "新しいメールアドレスを確認しました。以後のメールはこのアドレスに届きます。",
    LinkNotValid: "このリンクは使用済みか、期限切れか、不完全です。新しいリンクを受け取るには、もう一度メールアドレスを変更してください。",
  },
};

speak(WORDS);
onSubmit(at("form"), async () => {
  const { confirmEmail: answer } = await ask(MUTATION, { input: { token: location.hash.slice(1) } });
  const said = words[answer.__typename] ?? answer.message;
  if (answer.__typename === "EmailConfirmed") done(at("form"), said);
  else tell("bad", said);
});
