//! A metric is declared in two lines: what it says, which is its help text, and its field, kind, name and
//! labels. From that come the struct, its first values and its entry in the catalog.

/// Declares the metrics of one part of the service. A doc comment is the help text, without a full stop;
/// what follows the labels is how the field is made, where `Default` does not do.
macro_rules! metrics {
    (
        $(#[doc = $about:literal])+
        $visibility:vis struct $name:ident {
            $(
                #[doc = $help:literal]
                $field:ident: $type:ty = $kind:ident $metric:literal[$($label:literal),*] $(, $made:expr)?;
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        $visibility struct $name {
            $($field: $type,)+
        }

        impl $name {
            fn declared() -> Self {
                Self {
                    $($field: $crate::metrics::declare::made!($($made)?),)+
                }
            }

            pub(super) fn enter(&self, catalog: &mut $crate::metrics::catalog::Catalog) {
                $(
                    catalog.add(
                        $crate::metrics::catalog::$kind($metric, &[$($label),*], $help.trim_start()),
                        self.$field.clone(),
                    );
                )+
            }
        }
    };
}

macro_rules! made {
    () => {
        Default::default()
    };
    ($made:expr) => {
        $made
    };
}

pub(super) use {made, metrics};
