//! Deliveries of validation: each tier has an arm of the evaluation, and no other definition.

use image::RgbImage;
use realscope_delivery::DeliveryError;
use realscope_delivery::arm::Arm;
use realscope_detectors::Tier;
use realscope_media::{Limits, Options};

/// All tiers, the best one first.
pub const TIERS: [Tier; 3] = [Tier::Clean, Tier::Web, Tier::Hard];

/// The arm whose pictures belong to a tier.
#[must_use]
pub fn arm(tier: Tier) -> Arm {
    match tier {
        Tier::Clean => Arm::BothQ95,
        Tier::Web => Arm::Web,
        Tier::Hard => Arm::Hard,
    }
}

/// The pixels that an arm delivers; arms that show their window alone cut it at `window` pixels, 0 for the whole
/// picture.
///
/// # Errors
/// [`DeliveryError`].
pub fn deliver(picture: &RgbImage, arm: &Arm, window: u32) -> Result<RgbImage, DeliveryError> {
    // None of the arms of validation looks at the class or draws at random.
    let Some(bytes) = arm.deliver(picture, false, "", window, 0)? else {
        return Ok(picture.clone());
    };
    realscope_media::decode(&bytes, &Limits::default(), &Options::default())
        .map(|d| d.pixels)
        .map_err(|e| DeliveryError::Size {
            width: picture.width(),
            height: picture.height(),
            reason: e.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use realscope_delivery::arm::central;
    use realscope_delivery::{Filter, Subsampling, limit_edge, through_jpeg};

    use super::*;

    #[test]
    fn tiers_have_the_arms_of_the_evaluation() {
        let picture = RgbImage::from_fn(900, 300, |x, y| {
            image::Rgb([(x % 251) as u8, (y % 241) as u8, ((x + y) % 239) as u8])
        });
        let limited = |edge| limit_edge(&picture, edge, Filter::Lanczos3).expect("resizes");
        let clean = deliver(&picture, &arm(Tier::Clean), 256).expect("delivers");
        let expected = through_jpeg(&central(&picture, 256), 95, Subsampling::S444);
        assert_eq!(clean, expected.expect("encodes"));
        for (tier, edge, quality) in [(Tier::Web, 768, 60), (Tier::Hard, 512, 40)] {
            let delivered = deliver(&picture, &arm(tier), 0).expect("delivers");
            let expected = through_jpeg(&limited(edge), quality, Subsampling::S420);
            assert_eq!(delivered, expected.expect("encodes"));
            // A delivery belongs to the tier whose name it bears.
            let short = delivered.width().min(delivered.height());
            assert_eq!(Tier::of(short, Some(quality)), tier);
        }
        assert_eq!(
            deliver(&picture, &Arm::Native, 0).expect("delivers"),
            picture
        );
    }
}
