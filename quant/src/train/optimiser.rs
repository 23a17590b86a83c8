//! Stochastic gradient descent with momentum.

use ndarray::{ArrayD, Zip};

/// A parameter's FP32 master copy, and its velocity.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) values: ArrayD<f32>,
    velocity: ArrayD<f32>,
}

impl Parameter {
    /// At rest.
    pub(super) fn new(name: &str, values: ArrayD<f32>) -> Self {
        Self {
            name: name.to_owned(),
            velocity: ArrayD::zeros(values.raw_dim()),
            values,
        }
    }

    /// `v = momentum * v + g`, then `w = w - rate * v`, every operation rounded to FP32 (as PyTorch's
    /// SGD has them: Sutskever et al., ICML 2013, with the rate outside of the velocity).
    pub(super) fn step(&mut self, gradient: &ArrayD<f32>, rate: f32, momentum: f32) {
        Zip::from(&mut self.values)
            .and(&mut self.velocity)
            .and(gradient)
            .for_each(|value, velocity, &gradient| {
                *velocity = momentum * *velocity + gradient;
                *value -= rate * *velocity;
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr1;

    #[test]
    fn velocity_builds_up() {
        let mut parameter = Parameter::new("w", arr1(&[1.0]).into_dyn());
        let gradient = arr1(&[1.0]).into_dyn();
        // Velocities 1, 1.5, 1.75.
        for expected in [0.75, 0.375, -0.0625] {
            parameter.step(&gradient, 0.25, 0.5);
            assert_eq!(parameter.values[[0]], expected);
        }
    }
}
