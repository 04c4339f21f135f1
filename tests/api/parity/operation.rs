//! How the tables are written.

use reqwest::Method;
use serde_json::{Map, Value, json};

/// One operation: its form and its route, and what is tried with them.
pub(super) struct Operation {
    /// The path of the form's server function.
    pub(super) form: &'static str,
    /// The page on which the form stands; `{id}` and `{token}` are the form's fields.
    pub(super) page: &'static str,
    pub(super) method: Method,
    /// The route of the API; `{id}` is the form's field.
    pub(super) api: &'static str,
    /// The body that says to the API what these fields say to the form.
    pub(super) body: fn(&Case) -> Value,
    /// A field of the API, and what the form calls it, where that is another name.
    pub(super) called: Option<(&'static str, &'static str)>,
    /// Where a browser goes that is not signed in: to sign in, unless this says otherwise.
    pub(super) signed_out: Option<&'static str>,
    pub(super) cases: Vec<Case>,
}

/// One thing that is tried.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) who: Who,
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) variables: &'static [(&'static str, &'static str)],
    pub(super) outcome: Outcome,
}

/// Whose browser it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Nobody is signed in.
    Nobody,
    /// Somebody was, and the cookies are still there.
    Ended,
    Ann,
    Bob,
    Admin,
}

/// What is to come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It works, and the page says so.
    Done(&'static str),
    /// It is refused with this status and code.
    Refused(u16, &'static str),
}

pub(super) use Outcome::{Done, Refused};

impl Outcome {
    pub(super) const fn is_done(self) -> bool {
        matches!(self, Done(_))
    }
}

/// A refusal of fields.
pub(super) const INVALID: Outcome = Refused(422, "invalid_fields");

const NOBODYS_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

impl Operation {
    /// The form that is sent to `form` from `page` does what `method` does at `api`.
    pub(super) fn new(form: &'static str, page: &'static str, method: Method, api: &'static str) -> Self {
        Self {
            form,
            page,
            method,
            api,
            body: |case| case.json(&["id"]),
            called: None,
            signed_out: None,
            cases: Vec::new(),
        }
    }

    /// The body is not the form's fields.
    pub(super) fn body(self, body: fn(&Case) -> Value) -> Self {
        Self { body, ..self }
    }

    /// What the API's field `api` holds stands in the form's field `form`.
    pub(super) fn called(self, api: &'static str, form: &'static str) -> Self {
        Self {
            called: Some((api, form)),
            ..self
        }
    }

    /// Who is signed out already is where they want to be.
    pub(super) fn signed_out_to(self, path: &'static str) -> Self {
        Self {
            signed_out: Some(path),
            ..self
        }
    }

    pub(super) fn case(
        mut self,
        name: &'static str,
        who: Who,
        fields: &[(&'static str, &str)],
        outcome: Outcome,
    ) -> Self {
        let fields = fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        self.cases.push(Case {
            name,
            who,
            fields,
            variables: &[],
            outcome,
        });
        self
    }

    /// The last case is by a server with these variables.
    pub(super) fn with(mut self, variables: &'static [(&'static str, &'static str)]) -> Self {
        self.cases.last_mut().expect("a case").variables = variables;
        self
    }

    /// What works needs somebody who is signed in.
    pub(super) fn for_users(self) -> Self {
        self.tried_by("not signed in", Who::Nobody, Refused(401, "not_authenticated"))
            .tried_by("signed out elsewhere", Who::Ended, Refused(401, "session_ended"))
    }

    /// What works needs an admin.
    pub(super) fn for_admins(self) -> Self {
        self.for_users()
            .tried_by("not an admin", Who::Bob, Refused(403, "forbidden"))
    }

    /// What works is done to something that has an id.
    pub(super) fn by_id(self) -> Self {
        self.tried_with_id("an id of nothing", NOBODYS_ID)
            .tried_with_id("an id that is none", "none")
    }

    fn tried_by(mut self, name: &'static str, who: Who, outcome: Outcome) -> Self {
        let good = self.cases.first().expect("what works");
        let case = Case {
            name,
            who,
            fields: good.fields.clone(),
            variables: good.variables,
            outcome,
        };
        self.cases.push(case);
        self
    }

    fn tried_with_id(self, name: &'static str, id: &str) -> Self {
        let who = self.cases.first().expect("what works").who;
        let mut operation = self.tried_by(name, who, Refused(404, "not_found"));
        let fields = operation.cases.last_mut().into_iter().flat_map(|case| &mut case.fields);
        for (_, value) in fields.filter(|(name, _)| *name == "id") {
            id.clone_into(value);
        }
        operation
    }
}

impl Case {
    pub(super) fn field(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(field, _)| *field == name);
        field.map_or("", |(_, value)| value)
    }

    /// The form's fields as JSON, but for those.
    pub(super) fn json(&self, but: &[&str]) -> Value {
        let fields = self.fields.iter().filter(|(name, _)| !but.contains(name));
        let members = fields.map(|(name, value)| {
            let value = match value.as_str() {
                "true" => json!(true),
                "false" => json!(false),
                text => json!(text),
            };
            ((*name).to_owned(), value)
        });
        Value::Object(members.collect::<Map<_, _>>())
    }

    /// `path` with what stands in the fields.
    pub(super) fn place(&self, path: &str) -> String {
        path.replace("{id}", self.field("id"))
            .replace("{token}", self.field("token"))
    }
}
