//! `quaver qat`: training with the bits of the array.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use quaver_contract::{CoreConfig, Formats};
use quaver_fast::Fast;
use quaver_quant::plan::PlanFile;
use quaver_quant::train::{Examples, Gradient, Settings, Trainer, calibrate, fixed};
use quaver_quant::{Plan, Tensor, onnx};
use serde::Serialize;

use super::run::{PLANS, PlanArgs, read_array, read_inputs};
use crate::args::{Global, one_of};
use crate::console;
use crate::error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "\
Trains the FP32 weights of an MLP or CNN by stochastic gradient descent with momentum against softmax
cross-entropy of the model's first output. Every product of the forward pass is the job that quaver run
makes of the same plan, on the fast engine, so that run computes the written model with the same bits.
The same seed gives the same weights, whatever the number of threads.

GRADIENTS of a quantiser:
  ste  1 everywhere (straight through)
  pwl  1 where the number is within the format's range, 0 where it saturates (piecewise linear)

SCALES are those of the plan. Dynamic ones follow the weights. With --calibrator, static ones are found
before the first epoch, of inputs over the training data in FP32; with --format, all are static then.

DATA is an array of the model's input, an example along the first axis; labels are integers from 0. Arrays
of other names are left alone, so that one file can hold both.

EXAMPLES:
  quaver qat digits.onnx --data train.npz --labels train.npz:label --test test.npz \\
    --test-labels test.npz:label --format e2m1fn --profile h100 --epochs 10 -o trained.onnx
  quaver run trained.onnx --input test.npz --format e2m1fn --profile h100 -o logits.npz
  quaver qat digits.onnx --data train.npz --labels train.npz:label --format int4 --calibrator mse \\
    --recalibrate --gradient pwl --plan-output plan.json -o trained.onnx
  quaver run trained.onnx --input test.npz --plan plan.json
  quaver qat digits.onnx --data train.npz --labels train.npz:label --plan plan.json --json -o trained.onnx";

/// Arguments of `quaver qat`.
#[derive(Debug, Args)]
#[command(after_help = format!("{PLANS}\n{EXAMPLES}"))]
pub(crate) struct QatArgs {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,

    /// Training data, by the name of the model's input
    #[arg(long, value_name = "TRAIN.npz")]
    data: PathBuf,

    /// The class of each example; the key may be left out where the file has one array
    #[arg(long, value_name = "FILE.npz[:KEY]")]
    labels: String,

    /// Data that accuracies are of [default: the training data]
    #[arg(long, value_name = "TEST.npz", requires = "test_labels")]
    test: Option<PathBuf>,

    /// Its classes
    #[arg(long, value_name = "FILE.npz[:KEY]", requires = "test")]
    test_labels: Option<String>,

    #[command(flatten)]
    plan: PlanArgs,

    /// Finds static scales over the training data: max, percentile:P, mse or, without static weights, entropy
    #[arg(long, value_name = "C", requires = "plan_output")]
    calibrator: Option<String>,

    /// Finds them again before each epoch
    #[arg(long, requires = "calibrator")]
    recalibrate: bool,

    /// What stands for the derivative of a quantiser
    #[arg(long, value_name = "GRADIENT", default_value = "pwl",
        value_parser = one_of(Gradient::ALL, |gradient| gradient.name()))]
    gradient: Gradient,

    /// How often every example is trained with
    #[arg(long, value_name = "COUNT", default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,

    /// Examples in a step
    #[arg(long, value_name = "COUNT", default_value_t = 32)]
    batch: usize,

    /// Learning rate
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0.01,
        allow_hyphen_values = true
    )]
    rate: f32,

    /// What is left of the velocity after a step
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0.9,
        allow_hyphen_values = true
    )]
    momentum: f32,

    /// Decides the order of examples
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,

    /// Threads of the engine; 0: one a core
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    threads: usize,

    /// Where the trained model goes
    #[arg(short, long, value_name = "OUT.onnx")]
    output: PathBuf,

    /// Where the plan that it was trained for goes
    #[arg(long, value_name = "PLAN.json")]
    plan_output: Option<PathBuf>,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// The object of `--json`. Accuracies are shares of the test data.
#[derive(Serialize)]
struct Report {
    accumulator: &'static str,
    gradient: &'static str,
    seed: u64,
    /// Numbers that are trained.
    trained: usize,
    examples: usize,
    test_examples: usize,
    before: Accuracies,
    after: Accuracies,
    epochs: Vec<EpochRow>,
}

/// Of one set of weights.
#[derive(Clone, Copy, Serialize)]
struct Accuracies {
    /// Without the plan.
    fp32: f64,
    /// With it.
    quantised: f64,
}

#[derive(Serialize)]
struct EpochRow {
    /// Means over the training data, each example before its step.
    loss: f64,
    train_accuracy: f64,
    /// After the epoch, with the plan.
    test_accuracy: f64,
    seconds: f64,
}

/// What training works with.
struct Work<'m> {
    trainer: Trainer<'m>,
    engine: Fast,
    formats: Formats,
    plan: Plan,
    data: Examples,
    test: Option<Examples>,
}

impl Work<'_> {
    fn accuracies(&mut self) -> Result<Accuracies, CliError> {
        Ok(Accuracies {
            fp32: self.accuracy(&Plan::keep())?,
            quantised: self.accuracy(&self.plan.clone())?,
        })
    }

    fn accuracy(&mut self, plan: &Plan) -> Result<f64, CliError> {
        let data = self.test.as_ref().unwrap_or(&self.data);
        let accuracy = self.trainer.accuracy(data, plan, &mut self.engine);
        accuracy.map_err(CliError::other)
    }

    fn calibrate(&mut self, calibrator: &str) -> Result<(), CliError> {
        let how = (calibrator, &self.formats);
        let plan = &self.plan;
        let (trainer, data, engine) = (&mut self.trainer, &self.data, &mut self.engine);
        self.plan = calibrate(plan, trainer, data, how, engine).map_err(CliError::other)?;
        Ok(())
    }
}

/// Trains the model.
///
/// # Errors
/// [`CliError`] for bad input; then there is no output.
pub(crate) fn run(args: &QatArgs, global: &Global) -> Result<(), CliError> {
    let settings = Settings {
        gradient: args.gradient,
        batch: args.batch,
        rate: args.rate,
        momentum: args.momentum,
        seed: args.seed,
    };
    if !args.plan.quantises() {
        let allowed = "a format, or a plan by --plan";
        return Err(CliError::option("--format", "missing", allowed));
    }
    let formats = global.formats()?;
    // The accumulator is that of `quaver run` where nothing names one.
    let mut plan = args
        .plan
        .plan(&formats, &CoreConfig::load("default", &formats)?)?;
    let output = Output::check(&args.output)?;
    let plan_output = args.plan_output.as_deref().map(Output::check).transpose()?;
    let model = onnx::read(&args.model).map_err(CliError::model(&args.model))?;
    let trainer = Trainer::new(&model, settings).map_err(CliError::model(&args.model))?;
    args.plan.keep(&mut plan, trainer.session())?;
    if args.calibrator.is_some() && args.plan.format().is_some() {
        plan = fixed(&plan, trainer.session()).map_err(CliError::other)?;
    }
    let data = examples(&trainer, &args.data, &args.labels, "--labels")?;
    let test = args.test.as_deref().zip(args.test_labels.as_deref());
    let test = test.map(|(path, labels)| examples(&trainer, path, labels, "--test-labels"));
    let mut work = Work {
        trainer,
        engine: Fast::new(args.threads).map_err(CliError::other)?,
        formats,
        plan,
        data,
        test: test.transpose()?,
    };
    let report = train(args, &mut work)?;
    if let Some(output) = plan_output {
        let layers = work.trainer.session().layers().map(|(name, _)| name);
        let file = PlanFile::of(&work.plan, layers).to_json();
        output.write(|writer| writer.write_all(file.as_bytes()))?;
    }
    let trained = work.trainer.model().map_err(CliError::other)?;
    output.write(|writer| onnx::write_to(&trained, writer))?;
    match args.json {
        true => console::print_json(&report),
        false => show(&report),
    }
}

/// An array of the model's input, and labels.
fn examples(
    trainer: &Trainer<'_>,
    path: &Path,
    labels: &str,
    option: &'static str,
) -> Result<Examples, CliError> {
    let mut arrays = read_inputs(path)?;
    let name = trainer.input();
    let Some(inputs) = arrays.remove(name) else {
        let names: Vec<&str> = arrays.keys().map(String::as_str).collect();
        let allowed = format!("one named {name}, the model's input");
        return Err(CliError::array(path, "arrays", names.join(", "), allowed));
    };
    let labels: Tensor = read_array(option, labels)?;
    Examples::new(name, inputs, &labels).map_err(CliError::model(path))
}

/// Every epoch, and accuracies around them.
fn train(args: &QatArgs, work: &mut Work<'_>) -> Result<Report, CliError> {
    let calibrator = args.calibrator.as_deref();
    if let Some(calibrator) = calibrator {
        work.calibrate(calibrator)?;
    }
    let before = work.accuracies()?;
    let progress = progress(u64::from(args.epochs) * work.data.count() as u64);
    let mut epochs = Vec::new();
    for epoch in 0..args.epochs {
        let started = Instant::now();
        if let Some(calibrator) = calibrator.filter(|_| args.recalibrate && epoch > 0) {
            work.calibrate(calibrator)?;
        }
        let (data, plan) = (&work.data, &work.plan);
        let stepped = |count: usize| progress.inc(count as u64);
        let seen = work.trainer.epoch(data, plan, &mut work.engine, stepped);
        let seen = seen.map_err(CliError::other)?;
        let test_accuracy = work.accuracy(&work.plan.clone())?;
        progress.set_message(format!("loss {:.4} test {test_accuracy:.4}", seen.loss));
        epochs.push(EpochRow {
            loss: seen.loss,
            train_accuracy: seen.accuracy,
            test_accuracy,
            seconds: started.elapsed().as_secs_f64(),
        });
    }
    progress.finish_and_clear();
    Ok(Report {
        accumulator: work.plan.accumulator.name(),
        gradient: args.gradient.name(),
        seed: args.seed,
        trained: work.trainer.trained(),
        examples: work.data.count(),
        test_examples: work.test.as_ref().unwrap_or(&work.data).count(),
        before,
        after: work.accuracies()?,
        epochs,
    })
}

fn progress(examples: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} examples {msg} {elapsed}");
    let bar = ProgressBar::new(examples);
    bar.set_style(style.expect("the template is legal"));
    bar
}

fn show(report: &Report) -> Result<(), CliError> {
    let header = ["epoch", "loss", "train", "test", "seconds"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(report.epochs.iter().enumerate().map(|(epoch, row)| {
        vec![
            (epoch + 1).to_string(),
            format!("{:.6}", row.loss),
            format!("{:.4}", row.train_accuracy),
            format!("{:.4}", row.test_accuracy),
            format!("{:.3}", row.seconds),
        ]
    }));
    let mut text = console::columns(&rows);
    text += &format!(
        "{} numbers trained with {} examples, products by {}, gradient {}\n",
        report.trained, report.examples, report.accumulator, report.gradient
    );
    text += &format!(
        "accuracy of {} examples: FP32 {:.4}, post-training {:.4}, trained {:.4}\n",
        report.test_examples, report.before.fp32, report.before.quantised, report.after.quantised
    );
    console::print(&text)
}
