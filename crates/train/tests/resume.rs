//! A run that was killed goes on.

use std::path::Path;

use burn::backend::Autodiff;
use image::RgbImage;
use realscope_nn::Cpu;
use realscope_train::recipe::NetworkRecipe;
use realscope_train::run::{self, Event, Finished};

const RECIPE: &str = r#"
name = "tiny"
network = "npr"
view = "crop"
input = 32
batch_statistics = true
seed = 1

[optim]
steps = 2
batch = 2
learning_rate = 1e-3
final_learning_rate = 1e-4
warmup = 1
weight_decay = 0.0
epsilon = 1e-8
ema = 0.5
label_smoothing = 0.0
every = 1

[data]
manifest = "manifest.tsv"
validation_match_sets = []
validation_groups = ["a", "b"]
group_power = 0.5

[augment]
scale = 0.0
scale_range = [1.0, 1.0]
jpeg = 0.0
jpeg_range = [90, 95]
webp = 0.0
webp_range = [90, 95]
blur = 0.0
blur_sigma = 1.0
noise = 0.0
noise_sigma = 1.0
colour = 0.0
colour_range = 0.1
"#;

fn data_set(folder: &Path) {
    let mut rows =
        String::from("path\tlabel\tsplit\tfold\tgroup\tmatch_set\toriginal_jpeg_quality\n");
    for (i, group) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let picture = RgbImage::from_fn(40, 40, |x, y| {
            image::Rgb([(x * 6) as u8, (y * 6) as u8, (x * y * (i as u32 + 1)) as u8])
        });
        picture
            .save(folder.join(format!("{group}.png")))
            .expect("saved");
        rows += &format!("{group}.png\t{}\ttrain\t0\t{group}\t\t95\n", i % 2);
    }
    std::fs::write(folder.join("manifest.tsv"), rows).expect("written");
}

fn train(recipe: &NetworkRecipe, data: &Path, out: &Path) -> (Finished, usize) {
    let mut steps = 0;
    let mut log = |event: Event<'_>| steps += usize::from(matches!(event, Event::Step { .. }));
    let device = Default::default();
    let finished =
        run::train::<Autodiff<Cpu>>(recipe, data, out, &device, &mut log).expect("trains");
    (finished, steps)
}

#[test]
fn a_kill_during_a_validation_loses_no_step() {
    let folder = tempfile::tempdir().expect("folder");
    let (data, out) = (folder.path(), folder.path().join("run"));
    data_set(data);
    let file = data.join("recipe.toml");
    std::fs::write(&file, RECIPE).expect("written");
    let recipe = NetworkRecipe::read(&file).expect("reads");
    let (whole, steps) = train(&recipe, data, &out);
    assert_eq!(steps, 2);
    let weights = std::fs::read(&whole.weights).expect("reads");

    // The checkpoint is there, of the line of its validation a half.
    let log = out.join("log.jsonl");
    let text = std::fs::read_to_string(&log).expect("reads");
    std::fs::write(&log, &text[..text.len() - 20]).expect("written");
    let (again, steps) = train(&recipe, data, &out);
    assert_eq!(steps, 0);
    assert_eq!(again.validation.step, 2);
    assert_eq!(again.validation.auc, whole.validation.auc);
    assert!((again.validation.loss - whole.validation.loss).abs() < 1e-12);
    assert_eq!(std::fs::read(&again.weights).expect("reads"), weights);
    let lines = std::fs::read_to_string(&log).expect("reads");
    assert_eq!(lines.lines().count(), 2);

    // Nothing is left to do: the last line is the answer.
    let (done, steps) = train(&recipe, data, &out);
    assert_eq!((steps, done.validation.step), (0, 2));
    assert_eq!(std::fs::read_to_string(&log).expect("reads"), lines);
}
