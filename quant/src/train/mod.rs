//! Quantisation-aware training: float weights, and a forward pass whose products are the jobs that
//! [`Session`] makes of a plan, so that the accuracy that training sees is the one that the array gives.
//!
//! 1. Forward: a run of the model by the plan, bit for bit, on any engine.
//! 2. Loss: softmax cross-entropy of the first output's rows, in binary64, of a batch the mean.
//! 3. Backward: node by node from the last (`operators`), through quantisers as [`Gradient`] says. A
//!    gradient is FP32, and every sum has one order: bits depend neither on threads nor on the host,
//!    where layers that a plan keeps in host arithmetic do not.
//! 4. Step: SGD with momentum on FP32 master copies of every constant that `operators` trains.
//!
//! Source: Nair et al., "INT-FP-QSim" (arXiv 2307.03712), section on quantisation-aware training.

mod arithmetic;
mod calibration;
mod data;
mod gradient;
mod loss;
mod operators;
mod optimiser;
mod tape;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use ndarray::{ArrayView2, Ix2};
use quaver_contract::Engine;

pub use calibration::{calibrate, fixed};
pub use data::Examples;
use data::Shuffle;
pub use gradient::Gradient;
use optimiser::Parameter;
use tape::{Tape, Way, dependent};

use crate::graph::{Hook, NoHook, Session};
use crate::onnx::{Initializer, Model};
use crate::plan::Plan;
use crate::{ElementType, Error, Tensor};

/// How a model is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// What stands for the derivative of quantisers.
    pub gradient: Gradient,
    /// Examples in a step; the last step of an epoch has those that are left.
    pub batch: usize,
    /// What the velocity is multiplied by in a step: positive, finite.
    pub rate: f32,
    /// What is left of the velocity after a step: 0 up to, not including, 1.
    pub momentum: f32,
    /// Decides the order of examples.
    pub seed: u64,
}

impl Settings {
    /// Refuses values that train nothing.
    ///
    /// # Errors
    /// [`Error::Illegal`] naming the field.
    pub fn check(&self) -> Result<(), Error> {
        if self.batch == 0 {
            return Err(Error::illegal("batch", self.batch, "1 or more"));
        }
        if !(self.rate.is_finite() && self.rate > 0.0) {
            let allowed = "positive, finite numbers";
            return Err(Error::illegal("rate", self.rate, allowed));
        }
        if !(0.0..1.0).contains(&self.momentum) {
            let allowed = "0 up to, not including, 1";
            return Err(Error::illegal("momentum", self.momentum, allowed));
        }
        Ok(())
    }
}

/// What an epoch saw, each example before the step that it was part of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// The mean loss of an example.
    pub loss: f64,
    /// The share of examples whose class was right.
    pub accuracy: f64,
}

/// A model under training.
pub struct Trainer<'m> {
    model: &'m Model,
    session: Session<'m>,
    settings: Settings,
    shuffle: Shuffle,
    input: &'m str,
    output: &'m str,
    parameters: Vec<Parameter>,
    /// Values that depend on parameters.
    dependent: HashSet<&'m str>,
    epochs: usize,
}

impl<'m> Trainer<'m> {
    /// Makes a model ready.
    ///
    /// # Errors
    /// [`Error::Node`] for an operator that training does not go through; [`Error::Illegal`] for other
    /// than one input, a model without constants to train, and settings that [`Settings::check`]
    /// refuses; those of [`Session::new`].
    pub fn new(model: &'m Model, settings: Settings) -> Result<Self, Error> {
        settings.check()?;
        let graph = &model.graph;
        for node in &graph.nodes {
            operators::find(node)?;
        }
        let session = Session::new(model)?;
        let inputs: Vec<&str> = session.inputs().collect();
        let &[input] = inputs.as_slice() else {
            return Err(Error::illegal(
                "inputs",
                inputs.join(", "),
                "one to train with",
            ));
        };
        let Some(output) = graph.outputs.first() else {
            return Err(Error::illegal(
                "outputs",
                "none",
                "one with a row of logits an example",
            ));
        };
        let trained = trained(model)?;
        let dependent = dependent(graph, &trained);
        if !dependent.contains(output.name.as_str()) || trained.is_empty() {
            let allowed = "one that depends on FP32 constants which are trained";
            return Err(Error::illegal("output", &output.name, allowed));
        }
        let mut parameters = Vec::new();
        for initializer in &graph.initializers {
            if trained.contains(initializer.name.as_str())
                && let Some(Tensor::Float(values)) = session.value(&initializer.name)
            {
                let values = values.as_standard_layout().into_owned();
                parameters.push(Parameter::new(&initializer.name, values));
            }
        }
        Ok(Self {
            model,
            session,
            settings,
            shuffle: Shuffle::new(settings.seed),
            input,
            output: &output.name,
            parameters,
            dependent,
            epochs: 0,
        })
    }

    /// The name of the model's input.
    pub const fn input(&self) -> &'m str {
        self.input
    }

    /// The model as it runs, with the weights of now.
    pub const fn session(&self) -> &Session<'m> {
        &self.session
    }

    /// How many numbers are trained.
    pub fn trained(&self) -> usize {
        self.parameters
            .iter()
            .map(|parameter| parameter.values.len())
            .sum()
    }

    /// The share of examples whose class is right: one run of all of them, as `quaver run` makes it.
    ///
    /// # Errors
    /// Those of the run; [`Error::Illegal`] for an output that has no row of logits for each example,
    /// and labels that are no classes.
    pub fn accuracy(
        &mut self,
        examples: &Examples,
        plan: &Plan,
        engine: &mut dyn Engine,
    ) -> Result<f64, Error> {
        self.session.forget();
        let logits = self.run(examples, plan, engine, &mut NoHook)?;
        let right = loss::right(self.rows(&logits)?, &examples.labels)?;
        Ok(right as f64 / examples.count() as f64)
    }

    /// Trains with every example once, in an order of the seed's. `stepped` is told how many examples
    /// a step had.
    ///
    /// # Errors
    /// Those of [`Trainer::accuracy`], and [`Error::Illegal`] for a loss or a weight that is not
    /// finite.
    pub fn epoch(
        &mut self,
        examples: &Examples,
        plan: &Plan,
        engine: &mut dyn Engine,
        mut stepped: impl FnMut(usize),
    ) -> Result<Seen, Error> {
        self.epochs += 1;
        self.session.forget();
        let order = self.shuffle.order(examples.count());
        let (mut sum, mut right) = (0.0, 0);
        for places in order.chunks(self.settings.batch) {
            let batch = examples.at(places);
            let loss = self.step(&batch, plan, engine)?;
            sum += loss.sum;
            right += loss.right;
            stepped(places.len());
        }
        Ok(Seen {
            loss: sum / examples.count() as f64,
            accuracy: right as f64 / examples.count() as f64,
        })
    }

    /// The model with the weights of now.
    ///
    /// # Errors
    /// None in practice: weights are FP32.
    pub fn model(&self) -> Result<Model, Error> {
        let mut model = self.model.clone();
        for parameter in &self.parameters {
            let tensor = Tensor::Float(parameter.values.clone());
            let trained = Initializer::new(&parameter.name, &tensor)?;
            let mut all = model.graph.initializers.iter_mut();
            if let Some(place) = all.find(|initializer| initializer.name == parameter.name) {
                *place = trained;
            }
        }
        Ok(model)
    }

    fn run(
        &mut self,
        examples: &Examples,
        plan: &Plan,
        engine: &mut dyn Engine,
        hook: &mut dyn Hook,
    ) -> Result<Tensor, Error> {
        let input = Tensor::Float(examples.inputs.clone());
        let inputs = BTreeMap::from([(self.input.to_owned(), input)]);
        let outputs = self.session.run(inputs, plan, engine, hook)?;
        let first = outputs.into_iter().next();
        Ok(first.expect("the model has an output").1)
    }

    fn rows<'t>(&self, logits: &'t Tensor) -> Result<ArrayView2<'t, f32>, Error> {
        let rows = match logits {
            Tensor::Float(values) => values.view().into_dimensionality::<Ix2>().ok(),
            _ => None,
        };
        rows.ok_or_else(|| {
            let key = format!("output {}", self.output);
            let found = format!("{} {:?}", logits.element_type().name(), logits.shape());
            Error::illegal(key, found, "a row of FP32 logits for each example")
        })
    }

    fn step(
        &mut self,
        batch: &Examples,
        plan: &Plan,
        engine: &mut dyn Engine,
    ) -> Result<loss::Loss, Error> {
        let mut tape = Tape::new(self.input, batch.inputs.clone());
        let logits = self.run(batch, plan, engine, &mut tape)?;
        let loss = loss::cross_entropy(self.rows(&logits)?, &batch.labels)?;
        if !loss.sum.is_finite() {
            let key = format!("loss in epoch {}", self.epochs);
            return Err(Error::illegal(
                key,
                loss.sum,
                "finite numbers: a smaller rate may help",
            ));
        }
        let way = Way {
            graph: &self.model.graph,
            plan,
            gradient: self.settings.gradient,
            dependent: &self.dependent,
        };
        let upstream = (self.output, loss.gradient.clone().into_dyn());
        let session = &self.session;
        let gradients = tape.backward(&way, |name| session.value(name), upstream)?;
        for parameter in &mut self.parameters {
            let Some(gradient) = gradients.get(parameter.name.as_str()) else {
                continue;
            };
            parameter.step(gradient, self.settings.rate, self.settings.momentum);
            if parameter.values.iter().any(|value| !value.is_finite()) {
                let key = format!("a number of {} in epoch {}", parameter.name, self.epochs);
                let allowed = "finite numbers: a smaller rate may help";
                return Err(Error::illegal(key, "beyond FP32", allowed));
            }
            self.session
                .replace(&parameter.name, parameter.values.clone());
        }
        Ok(loss)
    }
}

/// The FP32 constants that some node trains.
fn trained(model: &Model) -> Result<HashSet<&str>, Error> {
    let graph = &model.graph;
    let mut found = HashSet::new();
    for node in &graph.nodes {
        for &place in operators::find(node)?.trained {
            let name = node.inputs.get(place).map_or("", String::as_str);
            let mut all = graph.initializers.iter();
            let own = all.find(|initializer| initializer.name == name);
            if own.is_some_and(|initializer| initializer.element == ElementType::Float) {
                found.insert(name);
            }
        }
    }
    Ok(found)
}
