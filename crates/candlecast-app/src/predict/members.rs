//! Ensembles of saved models: each member as it serves, and nothing trained but how they are combined.

use std::sync::Arc;

use candlecast_core::{Problem, SeriesKey, Timestamp};
use candlecast_host::{Host, LOCAL, blocking};
use candlecast_learn::Combine;
use candlecast_monitor::{family, identity, load_serving};
use candlecast_pipeline::catalog::{self, Composite, Part};
use candlecast_pipeline::{Detail, SavedEnsemble, SavedModel, max_fill};
use candlecast_registry::{Family, Loaded, ModelManifest, RegistryError};
use serde_json::{Map, Value, json};

use super::knowledge::{Shelf, change_of_members};
use super::{Answering, Predicted, not_trained, predict_in_detail};
use crate::models::is_stale;

/// Types of which so many must serve for all of them to be the members where nobody names any.
const ENOUGH: usize = 3;

/// Forecasts with the model called `model` for the task `task` of `key`, as [`predict_in_detail`] does. Of an ensemble
/// `params` may name members, strategy, votes and weights: then, or where no ensemble is saved, the saved models that serve
/// as its members answer together.
pub async fn predict_with(
    host: &Host,
    key: &SeriesKey,
    (model, task): (&str, &str),
    params: &Value,
    horizon: Option<usize>,
    detail: &Detail,
) -> Result<Predicted, Problem> {
    let own = family(key, model, task)?;
    let is_open = params.as_object().is_none_or(Map::is_empty);
    let composite = match catalog::part(model)? {
        Part::Composite(composite) if composite.id == catalog::ENSEMBLE => composite,
        Part::Composite(_) | Part::Learner(_) if is_open => {
            return predict_in_detail(host, &own, horizon, detail).await;
        }
        Part::Composite(_) | Part::Learner(_) => {
            let told = format!(
                "members, strategy, votes and weights are of ensembles: leave them out, or take --model {}",
                catalog::ENSEMBLE
            );
            return Err(Problem::usage("bad-parameter", "model", told));
        }
    };
    if is_open && is_saved(host, &own).await? {
        return predict_in_detail(host, &own, horizon, detail).await;
    }
    detail.check(task)?;
    let asked = Asked::of(host, composite, key, task, params).await?;
    let serving = asked.serving(host, horizon).await?;
    asked.answer(host, serving, horizon, detail).await
}

/// True where an ensemble serves that was saved as a model of its own, or cannot be told because of damage.
async fn is_saved(host: &Host, own: &Family) -> Result<bool, Problem> {
    let own = own.clone();
    blocking(host, move |host| {
        let found = host.registry.reaching(&own, None);
        Ok(!matches!(found, Err(RegistryError::NoneActive { .. })))
    })
    .await
}

/// An ensemble of saved models as it was asked for.
struct Asked {
    key: SeriesKey,
    task: String,
    /// Types of the members, in order.
    types: Vec<&'static str>,
    combine: Combine,
    /// True where nobody named the members.
    is_open: bool,
}

/// The models that serve as members, in order.
struct Serving {
    loaded: Vec<Loaded<SavedModel>>,
    /// The members that answered before, where the set has changed.
    before: Option<Vec<String>>,
}

impl Asked {
    async fn of(
        host: &Host,
        composite: &Composite,
        key: &SeriesKey,
        task: &str,
        params: &Value,
    ) -> Result<Self, Problem> {
        let is_named = ["members", "models"].iter().any(|name| params.get(name).is_some_and(|value| !value.is_null()));
        let (names, is_open): (Vec<String>, bool) = if is_named {
            let members = (composite.members)(params)?;
            if let Some(member) = members.iter().find(|member| member.params.as_object().is_some_and(|p| !p.is_empty()))
            {
                let told = format!(
                    "{} is asked for with parameters, and a saved model has its own: name types only",
                    member.id
                );
                return Err(Problem::usage("bad-parameter", "members", told));
            }
            (members.into_iter().map(|member| member.id).collect(), false)
        } else if host.settings.ensemble_members.is_empty() {
            (usual_members(host, key, task).await?, true)
        } else {
            (host.settings.ensemble_members.clone(), false)
        };
        let types = names.iter().map(|name| catalog::canonical(name)).collect::<Result<Vec<_>, _>>()?;
        let params = with_members(params, &types);
        let members = (composite.members)(&params)?;
        let combine = (composite.combine)(&params, &members)?;
        Ok(Self { key: key.clone(), task: task.to_owned(), types, combine, is_open })
    }

    /// Of each member the active model of the shortest horizon that reaches `horizon`; without one, as far as all members
    /// do.
    async fn serving(&self, host: &Host, horizon: Option<usize>) -> Result<Serving, Problem> {
        let (key, task) = (&self.key, self.task.as_str());
        let families = self.types.iter().map(|name| family(key, name, task)).collect::<Result<Vec<Family>, _>>()?;
        let what = json!({ "series": key.to_string(), "task": task });
        let (is_open, types) = (self.is_open, self.types.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        blocking(host, move |host| {
            let reaching =
                |family: &Family, steps| host.registry.reaching(family, steps).map_err(|e| not_trained(e, family));
            let farthest = families.iter().map(|family| reaching(family, None).map(|slot| slot.horizon));
            let farthest = farthest.collect::<Result<Vec<usize>, Problem>>()?;
            let steps = horizon.or(farthest.into_iter().min());
            let load = |family: &Family| {
                let slot = reaching(family, steps)?;
                load_serving(host, &slot, LOCAL).map_err(|e| not_trained(e, family))
            };
            let loaded = families.iter().map(load).collect::<Result<Vec<_>, Problem>>()?;
            let before = if is_open { change_of_members(host, &what, &types) } else { None };
            Ok(Serving { loaded, before })
        })
        .await
    }

    /// What the members say together.
    async fn answer(
        self,
        host: &Host,
        serving: Serving,
        horizon: Option<usize>,
        detail: &Detail,
    ) -> Result<Predicted, Problem> {
        let Serving { loaded, before } = serving;
        let manifests: Vec<ModelManifest> = loaded.iter().map(|member| member.manifest.clone()).collect();
        let fell_back: Vec<String> = loaded.iter().filter_map(|member| member.fell_back.clone()).collect();
        let fill = loaded.first().map_or(candlecast_pipeline::MAX_FILL, |member| max_fill(&member.payload));
        let market = host.market(&self.key, fill).await?;
        let shelf = self.shelf(&manifests)?;
        let recalled = {
            let shelf = shelf.clone();
            blocking(host, move |host| Ok(shelf.recall(host))).await?
        };
        let is_new = recalled.is_none();
        let combine = self.combine.clone();
        let (over, members) = (Arc::clone(&market), loaded);
        let (ensemble, knowledge) = host
            .compute(move || {
                let members = members.into_iter().map(|member| {
                    let identity = identity(&member.manifest);
                    (member.payload, identity)
                });
                let ensemble = SavedEnsemble::of(members.collect(), combine)?;
                let knowledge = match recalled {
                    Some(knowledge) => knowledge,
                    None => ensemble.learn(&over)?,
                };
                Ok((ensemble, knowledge))
            })
            .await?;
        if is_new {
            let kept = knowledge.clone();
            blocking(host, move |host| {
                shelf.keep(host, &kept);
                Ok(())
            })
            .await?;
        }
        let now = host.now();
        let remarks: Vec<String> =
            changed(before.as_deref(), &self.types).into_iter().chain(knowledge.remarks.clone()).collect();
        let who = Answering {
            manifest: None,
            model: catalog::ENSEMBLE.into(),
            member_ids: manifests.iter().map(|manifest| manifest.id.clone()).collect(),
            trained_at: manifests.iter().map(|manifest| manifest.trained_at).min().unwrap_or(Timestamp(0)),
            stale: manifests.iter().any(|manifest| is_stale(host, manifest, now)),
            fell_back: (!fell_back.is_empty()).then(|| fell_back.join("; ")),
            remarks,
        };
        let detail = detail.clone();
        let predicted =
            host.compute(move || who.answer(ensemble.knowing(knowledge)?, market, now, horizon, &detail)).await?;
        // A candle may have closed meanwhile.
        Ok(Predicted { made_at: host.now(), ..predicted })
    }

    /// Where what it has learnt is kept.
    fn shelf(&self, manifests: &[ModelManifest]) -> Result<Shelf, Problem> {
        let combine = serde_json::to_value(&self.combine).map_err(|e| Problem::data("no-document", e.to_string()))?;
        let what = json!({
            "series": self.key.to_string(), "task": self.task, "types": self.types, "combine": combine,
            "horizons": manifests.iter().map(|manifest| manifest.horizon_steps).collect::<Vec<_>>(),
        });
        let member = |manifest: &ModelManifest| json!([manifest.id, manifest.sha256]);
        Ok(Shelf::new(&what, &manifests.iter().map(member).collect()))
    }
}

/// `params` with members of these types.
fn with_members(params: &Value, types: &[&str]) -> Value {
    let mut params = params.as_object().cloned().unwrap_or_default();
    params.remove("models");
    params.insert("members".into(), json!(types));
    Value::Object(params)
}

/// Types of the members where nobody names any: those that have a usual weight, where three of them serve; else the usual
/// pair, served or not.
async fn usual_members(host: &Host, key: &SeriesKey, task: &str) -> Result<Vec<String>, Problem> {
    let (key, task) = (key.clone(), task.to_owned());
    blocking(host, move |host| {
        let serves = |name: &&'static str| {
            family(&key, name, &task).is_ok_and(|family| host.registry.reaching(&family, None).is_ok())
        };
        let serving: Vec<String> = catalog::weighed_types().filter(serves).map(str::to_owned).collect();
        let pair = || catalog::USUAL_MEMBERS.map(str::to_owned).into();
        Ok(if serving.len() >= ENOUGH { serving } else { pair() })
    })
    .await
}

/// That the set of members has changed since the last answer, if so.
fn changed(before: Option<&[String]>, types: &[&str]) -> Option<String> {
    before.map(|before| {
        format!(
            "the ensemble's members are {} since this answer, they were {} before",
            types.join(", "),
            before.join(", ")
        )
    })
}
