// Constants of the elementary functions, each one real number rounded to binary64 once.
// Made by function_coefficients.py; change that, not this.
#pragma once

#include <cstdint>

#include "reference/formats/host_device.h"

namespace touchstone::binary64 {

// 1 / ln 2
inline constexpr double kLog2E = 0x1.71547652b82fep+0;
// ln 2 cut to a multiple of 2^-43: times an integer below 2^10, exact
inline constexpr double kLn2High = 0x1.62e42fefa3800p-1;
// ln 2 - kLn2High, within 2^-98
inline constexpr double kLn2Low = 0x1.ef35793c76730p-45;
// ln 2 in two parts, whose sum is within 2^-108 of it
inline constexpr double kLn2First = 0x1.62e42fefa39efp-1;
// second part
inline constexpr double kLn2Second = 0x1.abc9e3b39803fp-56;
// 2 / pi
inline constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
// pi / 2 in three parts, whose sum is within 2^-163 of it
inline constexpr double kHalfPi1 = 0x1.921fb54442d18p+0;
// second part
inline constexpr double kHalfPi2 = 0x1.1a62633145c07p-54;
// third part
inline constexpr double kHalfPi3 = -0x1.f1976b7ed8fbcp-110;

// erf(x) = x * (sum over n of kErfMaclaurin<n> * x^(2n)), 2 / sqrt(pi) * (-1)^n / (n! (2n+1))
inline constexpr double kErfMaclaurin0 = 0x1.20dd750429b6dp+0;
inline constexpr double kErfMaclaurin1 = -0x1.812746b0379e7p-2;
inline constexpr double kErfMaclaurin2 = 0x1.ce2f21a042be2p-4;
inline constexpr double kErfMaclaurin3 = -0x1.b82ce31288b51p-6;
inline constexpr double kErfMaclaurin4 = 0x1.565bcd0e6a53fp-8;
inline constexpr double kErfMaclaurin5 = -0x1.c02db40040b86p-11;
inline constexpr double kErfMaclaurin6 = 0x1.f9a326f9b89b7p-14;
inline constexpr double kErfMaclaurin7 = -0x1.f4d25c3e0c2ebp-17;
inline constexpr double kErfMaclaurin8 = 0x1.b9e6c9dc651a3p-20;
inline constexpr double kErfMaclaurin9 = -0x1.5f742ec43e71ap-23;

inline constexpr int kErfDegree = 10;

// The coefficient of (x - node / 16)^power in the Taylor series of erf at node / 16.
TOUCHSTONE_HOST_DEVICE inline double ErfTaylor(uint64_t node, uint64_t power) {
  // clang-format off
  static constexpr double kRows[] = {
      // node 0
      0.0, 0x1.20dd750429b6dp+0, 0.0, -0x1.812746b0379e7p-2, 0.0, 0x1.ce2f21a042be2p-4, 0.0,
      -0x1.b82ce31288b51p-6, 0.0, 0x1.565bcd0e6a53fp-8, 0.0,
      // node 1
      0x1.207d480e90658p-4, 0x1.1fbd27cdc72d3p+0, -0x1.1fbd27cdc72d3p-4, -0x1.7ca791fd8f7e7p-2,
      0x1.1efd545de8a86p-5, 0x1.c532b7bbe615ap-4, -0x1.7da7bce15a3fcp-7, -0x1.ac35a97d212dfp-6,
      0x1.7ca8c4cc3aa58p-9, 0x1.4a6890ae20829p-8, -0x1.2fbb5bd5d79f3p-11,
      // node 2
      0x1.1f5e1a35c3b89p-3, 0x1.1c62fa1e869b6p+0, -0x1.1c62fa1e869b6p-3, -0x1.6f552dbcc3336p-2,
      0x1.196c9cd8dfdf2p-4, 0x1.aaba623e123f5p-4, -0x1.734ea69c583cdp-6, -0x1.89258e7894528p-6,
      0x1.6f681c0bf0754p-8, 0x1.27933524903cep-8, -0x1.22d310b9a8598p-10,
      // node 3
      0x1.ac45e37fe2526p-3, 0x1.16e2d7093cd8cp+0, -0x1.a254428ddb453p-3, -0x1.59b3da8e1e176p-2,
      0x1.988648fe88219p-4, 0x1.803427310d199p-4, -0x1.09e7bce5592c9p-5, -0x1.516b205318414p-6,
      0x1.038d3f3a16b57p-7, 0x1.e19d52695ad58p-9, -0x1.9542e7ed016bbp-10,
      // node 4
      0x1.1af54e232d609p-2, 0x1.0f5d1602f7e41p+0, -0x1.0f5d1602f7e41p-2, -0x1.3c974458cbdf6p-2,
      0x1.040e8a6d82e53p-3, 0x1.47e5cfee40de4p-4, -0x1.4c0b253ea77ffp-5, -0x1.08d946cdc453bp-6,
      0x1.3db6ffa1b5d39p-7, 0x1.5562355508fddp-9, -0x1.e5ffdcfcb6b25p-10,
      // node 5
      0x1.5da9f415ff23fp-2, 0x1.05fd3ecbec298p+0, -0x1.477c8e7ee733dp-2, -0x1.1917b60acab73p-2,
      0x1.322a728d4ed12p-3, 0x1.04c50a9cd2c12p-4, -0x1.7ce764eeddd86p-5, -0x1.68aac5801171dp-7,
      0x1.62aa895f51cd3p-7, 0x1.6c003c3cedb0dp-10, -0x1.079502dbbb32ap-9,
      // node 6
      0x1.9dd0d2b721f39p-2, 0x1.f5f0cdaf15313p-1, -0x1.78749a434fe4ep-2, -0x1.e106c51d1ef9dp-3,
      0x1.5529abcd00677p-3, 0x1.7488b8a7f1ba8p-5, -0x1.9a7945cd872e3p-5, -0x1.65c10b8389541p-8,
      0x1.709ab615c2e0bp-7, 0x1.0422b5690e406p-13, -0x1.075688ffec33bp-9,
      // node 7
      0x1.db081ce6e2a48p-2, 0x1.dd167c4cf9d2ap-1, -0x1.a173acc35a985p-2, -0x1.889a80f4ad955p-3,
      0x1.6c2eea0d17b39p-3, 0x1.b0645438e5d17p-6, -0x1.a3fd9fcbb6d6dp-5, 0x1.060b78c935b8ep-13,
      0x1.678b51a9c4b0ap-7, -0x1.1e03bfc8eebb3p-10, -0x1.e653535caaab8p-10,
      // node 8
      0x1.0a7ef5c18edd2p-1, 0x1.c1efca49a5011p-1, -0x1.c1efca49a5011p-2, -0x1.2bf531866e00cp-3,
      0x1.76f27de80980ep-3, 0x1.dfeeb5a3e3346p-8, -0x1.99f13b26a7676p-5, 0x1.623c617f0f515p-8,
      0x1.493d480930d14p-7, -0x1.1c1645ee62c3cp-9, -0x1.9b6f2543cb46cp-10,
      // node 9
      0x1.25b8a88b6dd7fp-1, 0x1.a5074e2157620p-1, -0x1.d9a837e5824e4p-2, -0x1.9c41d1d5fae55p-4,
      0x1.75bebc1b18d1cp-3, -0x1.6410ad9332666p-7, -0x1.7df8890b11fa7p-5, 0x1.4a54816d3608ap-7,
      0x1.18f36eb18f3d7p-7, -0x1.8d661c030e173p-9, -0x1.3628ede23de1dp-10,
      // node 10
      0x1.3f196dcd0f135p-1, 0x1.86e9694134b9ep-1, -0x1.e8a3c39181e85p-2, -0x1.c8105021682e3p-5,
      0x1.6963c8a39d692p-3, -0x1.c1242dfffc503p-6, -0x1.52b2668e8627dp-5, 0x1.c7cd9c1ca7367p-7,
      0x1.b62f4a7484034p-8, -0x1.dc3b46fdc32b4p-9, -0x1.81148d81da2abp-11,
      // node 11
      0x1.569243d2b3a9bp-1, 0x1.681ff24b4ab04p-1, -0x1.ef2bed2786b25p-2, -0x1.a4254557d722fp-7,
      0x1.532415c267962p-3, -0x1.558b4c55a835cp-5, -0x1.1b7ad5b777f1bp-5, 0x1.1201d3bd0e758p-6,
      0x1.2995e3a88a890p-8, -0x1.0294c3e93cdb0p-8, -0x1.159644a564e28p-12,
      // node 12
      0x1.6c1c9759d0e5fp-1, 0x1.492e42d78d2c5p-1, -0x1.edc5644353c27p-2, 0x1.b6e8591f66e5bp-6,
      0x1.349b5eaa14598p-3, -0x1.b42a1890ce411p-5, -0x1.b8477966b3381p-6, 0x1.2e0afb0bb961ep-6,
      0x1.2db332f9e64d4p-9, -0x1.04105cd6d527ep-8, 0x1.86234ec3372d9p-13,
      // node 13
      0x1.7fb9bfaed8078p-1, 0x1.2a8dcede3673bp-1, -0x1.e5267029187c0p-2, 0x1.fe0796bb9d05ap-5,
      0x1.0fa23021ad0acp-3, -0x1.fa21ebca76761p-5, -0x1.31546d5c4edb4p-6, 0x1.37e5469efb7a6p-6,
      0x1.097966e2e87e3p-13, -0x1.e82ab020887a7p-9, 0x1.318270c11b2d8p-11,
      // node 14
      0x1.91724951b8fc6p-1, 0x1.0cab61f084b93p-1, -0x1.d62beb64e8441p-2, 0x1.7c9d756a115bbp-4,
      0x1.cc60567d78c2bp-4, -0x1.1350f4b222ac7p-4, -0x1.53bb4a5af4fbep-7, 0x1.30ac21937fa54p-6,
      -0x1.e3f4d17a9ac97p-10, -0x1.aae22e15f782dp-9, 0x1.d6e44e4c09455p-11,
      // node 15
      0x1.a1551a16aaeafp-1, 0x1.dfca26f5bbf88p-2, -0x1.c1cd84866038fp-2, 0x1.e4c9975da0987p-4,
      0x1.747e31bf47af3p-4, -0x1.1d1f00109e42ap-4, -0x1.47654175ceb42p-9, 0x1.1a817c594b8cbp-6,
      -0x1.cb8acd699cca6p-9, -0x1.57b72bf874db6p-9, 0x1.24493dca8b643p-10,
      // node 16
      0x1.af767a741088bp-1, 0x1.a911f096fbc26p-2, -0x1.a911f096fbc26p-2, 0x1.1b614b0f52819p-3,
      0x1.1b614b0f52819p-4, -0x1.1b614b0f52819p-4, 0x1.2e45a565ad570p-8, 0x1.f096fd702f0efp-7,
      -0x1.391146bb981a2p-8, -0x1.ee30d995fae39p-10, 0x1.4176c4374eb1ep-10,
      // node 17
      0x1.bbef0fbde6221p-1, 0x1.75a91a7f4d2edp-2, -0x1.8d03ac274201cp-2, 0x1.3954778d6a0dfp-3,
      0x1.88e0f7b183fc6p-5, -0x1.0f7c15f75ee13p-4, 0x1.5e22cfa1aab51p-7, 0x1.9ad28c5557c22p-7,
      -0x1.704ec5d29fc83p-8, -0x1.23360304f19bap-10, 0x1.43ca3fcdf057ap-10,
      // node 18
      0x1.c6dad2829ec62p-1, 0x1.45e99bcbb7915p-2, -0x1.6ea6cf452e838p-2, 0x1.4cb3cf0aa0b9bp-3,
      0x1.ca5083167a246p-6, -0x1.f65d15f1cf8d7p-5, 0x1.fd1c6c11eda72p-7, 0x1.3acc78420e9d3p-7,
      -0x1.8b43c43f205b7p-8, -0x1.79b04d104b47ap-12, 0x1.2e527649b7b04p-10,
      // node 19
      0x1.d0580b2cfd249p-1, 0x1.1a0dc51a9934dp-2, -0x1.4ef05a0f95eebp-2, 0x1.5648b5dc47417p-3,
      0x1.40fbaba44504cp-7, -0x1.c0db89d0a41a4p-5, 0x1.388c3ec056942p-6, 0x1.aecb7463cf446p-8,
      -0x1.8bca53327e075p-8, 0x1.4add4a8239f4bp-12, 0x1.05ce4abd0ff4fp-10,
      // node 20
      0x1.d8865d98abe01p-1, 0x1.e4652fadcb6b2p-3, -0x1.2ebf3dcc9f22fp-2, 0x1.571d01c5c56bep-3,
      -0x1.93a9a7bb7ed94p-8, -0x1.8281ce0b34fa4p-5, 0x1.5d0003af70568p-6, 0x1.db43c97264485p-9,
      -0x1.75672cebadac5p-8, 0x1.cc22555d6cd4ep-11, 0x1.a0074f860d925p-11,
      // node 21
      0x1.df85ea8db188ep-1, 0x1.9cb5bd549b111p-3, -0x1.0ed7443f85c33p-2, 0x1.5066cda84bba9p-3,
      -0x1.419fa10b6ed7dp-6, -0x1.3f41761d5a941p-5, 0x1.6d1d724baaae4p-6, 0x1.e377f5703f7ffp-11,
      -0x1.4cc916ad63c27p-8, 0x1.553ef0d12719fp-10, 0x1.26240f5597ee0p-11,
      // node 22
      0x1.e5768c3b4a3fcp-1, 0x1.5ce595c455b0ap-3, -0x1.dfbbadedf5d2ep-3, 0x1.4374d82e04c67p-3,
      -0x1.f3b8d52d35665p-6, -0x1.f572c4c8c7b0cp-6, 0x1.6b16f52c58b2bp-6, -0x1.73ffa9b859606p-10,
      -0x1.1740474706a1cp-8, 0x1.9da3d48ffd0a3p-10, 0x1.534f6c4dc679bp-12,
      // node 23
      0x1.ea7730ed0bbb9p-1, 0x1.24a7b84d38971p-3, -0x1.a4b118ef01593p-3, 0x1.319c7a75f9187p-3,
      -0x1.3db5bed47faf6p-5, -0x1.7019bda6c2fddp-6, 0x1.59d3aa402c32ep-6, -0x1.b324eab9c87a9p-9,
      -0x1.b4774d37d0dd7p-9, 0x1.c01377485a844p-10, 0x1.a5db5f627b4cdp-14,
      // node 24
      0x1.eea5557137ae0p-1, 0x1.e723726b824a9p-4, -0x1.6d5a95d0a1b7fp-3, 0x1.1c2a02beb6ab8p-3,
      -0x1.6d5a95d0a1b7fp-5, -0x1.e723726b824a9p-7, 0x1.3ca3d72c47e3bp-6, -0x1.36d73a61dbabfp-8,
      -0x1.35ae4e395fa0cp-9, 0x1.c0380c3978d47p-10, -0x1.85b5f522cea21p-14,
      // node 25
      0x1.f21c9f12f0677p-1, 0x1.92470a61b6965p-4, -0x1.3a47801c56a57p-3, 0x1.0453f90d3bd35p-3,
      -0x1.8a7c6a239217bp-5, -0x1.075c088031ee3p-7, 0x1.16f9c9c127b80p-6, -0x1.74c2fc9bdfe97p-8,
      -0x1.760c522bd5bebp-10, 0x1.a3cdb656adb43p-10, -0x1.02c3c1ab0b16dp-12,
      // node 26
      0x1.f4f693b67bd77p-1, 0x1.499d478bca735p-4, -0x1.0bcfca21947dbp-3, 0x1.d6631e1a28e9ep-4,
      -0x1.974c03686729dp-5, -0x1.17d430bd57df4p-9, 0x1.d857f2c4bc9b6p-7, -0x1.954ab0f57a01ep-8,
      -0x1.2e43eef270fc5p-11, 0x1.71cd78555df62p-10, -0x1.75457224274f8p-12,
      // node 27
      0x1.f74a6d9a38383p-1, 0x1.0bf97e95f2a64p-4, -0x1.c435059d09788p-4, 0x1.a3687c1eaf1adp-4,
      -0x1.9647a30b16824p-5, 0x1.6981061dfbb09p-9, 0x1.7e8755da47040p-7, -0x1.9be731fdab95dp-8,
      0x1.3a95ae0a75546p-13, 0x1.319f780e962d7p-10, -0x1.b88dd51a4f7afp-12,
      // node 28
      0x1.f92d077f8d56dp-1, 0x1.b055303221015p-5, -0x1.7a4a8a2bdce13p-4, 0x1.7148c3d57c312p-4,
      -0x1.8a0da54306154p-5, 0x1.b22257dd01249p-8, 0x1.25b378c92a6c0p-7, -0x1.8d10fb6b8006fp-8,
      0x1.7ec1d1d8d3387p-11, 0x1.d4cf0ad2e6ca3p-11, -0x1.d041eea2258aep-12,
      // node 29
      0x1.fab0dd89d1309p-1, 0x1.5a08e85af27e0p-5, -0x1.399812926bc23p-4, 0x1.4140efb719cb0p-4,
      -0x1.7535a61a4193dp-5, 0x1.374c88c7e6abdp-7, 0x1.a40709e010e77p-8, -0x1.6dc078888efa7p-8,
      0x1.2ee6d200993afp-10, 0x1.44f175e22a161p-11, -0x1.c2fb051c92966p-12,
      // node 30
      0x1.fbe61eef4cf6ap-1, 0x1.12ceb37ff9bc3p-5, -0x1.01a1c847fa207p-4, 0x1.143d1c6f4f093p-4,
      -0x1.5a316520b81bap-5, 0x1.779b1e57043ccp-7, 0x1.0d099c7b29ddep-8, -0x1.42fcbaa85e8aap-8,
      0x1.76ff57db443cap-10, 0x1.7bda79657b833p-12, -0x1.991c209f22659p-12,
      // node 31
      0x1.fcdacca0bfb73p-1, 0x1.b1160991ff737p-6, -0x1.a38d59456f77dp-5, 0x1.d5bd91b6b0123p-5,
      -0x1.3b35dcbc80146p-5, 0x1.9d76b0a0535c7p-7, 0x1.14c887a83a0e6p-9, -0x1.117f42cc6e9f4p-8,
      0x1.9b477bdad8e0bp-10, 0x1.1d219fb0e1bc9p-13, -0x1.5bb59d3ca6abfp-12,
      // node 32
      0x1.fd9ae142795e3p-1, 0x1.529b9e8cf9a1ep-6, -0x1.529b9e8cf9a1ep-5, 0x1.8b0ae3a478923p-5,
      -0x1.1a2c59757ab19p-5, 0x1.ace7404c2b226p-7, 0x1.e1935ea65d580p-12, -0x1.bae0ab9d91458p-9,
      0x1.a11434425e8e8p-10, -0x1.a46c56b1bf347p-15, -0x1.13917bd98236ap-12,
      // node 33
      0x1.fe307f2b503d0p-1, 0x1.06ae13b0d3255p-6, -0x1.0ee3844e59be7p-5, 0x1.48b127f8ed8a5p-5,
      -0x1.f155b4e7d8c3bp-6, 0x1.aa2c0753d569ap-7, -0x1.bbf7e2795837bp-11, -0x1.5478d784d271cp-9,
      0x1.8eae08cdf9547p-10, -0x1.92946556037e5p-13, -0x1.90f27ae615128p-13,
      // node 34
      0x1.fea4218d6594ap-1, 0x1.94624e78e0fafp-7, -0x1.ada873606f0aap-6, 0x1.0ea475da3be7fp-5,
      -0x1.afe553fa44f40p-6, 0x1.9973b489fa221p-7, -0x1.dd78ee1541166p-10, -0x1.ea03bb2493671p-10,
      0x1.6aa2c0b920d39p-10, -0x1.2fdb2fcf76069p-12, -0x1.01788a2adcda8p-13,
      // node 35
      0x1.fefcce6813974p-1, 0x1.34d7dbc76d7e5p-7, -0x1.51cc18621fc23p-6, 0x1.b925a99886bb7p-6,
      -0x1.71e7d408c8c6fp-6, 0x1.7ea58080a81efp-7, -0x1.46eb9d203e071p-9, -0x1.403333682fa5ep-10,
      0x1.3b37d5bd14a40p-10, -0x1.6be130822dbdfp-12, -0x1.03d4bcdafe930p-14,
      // node 36
      0x1.ff404760319b4p-1, 0x1.d4143a9dfe965p-8, -0x1.074b60f8df349p-6, 0x1.63ef61e824425p-6,
      -0x1.38a98327890e6p-6, 0x1.5d3b17bbe0f22p-7, -0x1.7cae0d45b1a6ap-9, -0x1.5f8313b6fdd59p-11,
      0x1.0602e33b9ef4ap-10, -0x1.8352cd05696b8p-12, -0x1.80c1330a27b22p-17,
      // node 37
      0x1.ff733814af88cp-1, 0x1.5ff2750fe7820p-8, -0x1.96f0575a63ae5p-7, 0x1.1c5a643f04363p-6,
      -0x1.04f5caaf2196fp-6, 0x1.382a146afb9d2p-7, -0x1.95cab93aa68d2p-9, -0x1.d2fd90fe62928p-13,
      0x1.9f50fb94c0b82p-11, -0x1.7d7378074399bp-12, 0x1.cc0c9cba01378p-16,
      // node 38
      0x1.ff9960f3eb327p-1, 0x1.06918b6355624p-8, -0x1.37ccd585f564bp-7, 0x1.c1ec102e364f1p-7,
      -0x1.ae59615f8eb1ap-7, 0x1.11dae47350ddep-7, -0x1.982b274b81788p-9, 0x1.0283e0b81b24ap-13,
      0x1.377c452e88a90p-11, -0x1.61ec70a692e42p-12, 0x1.cae81a7d269ecp-15,
      // node 39
      0x1.ffb5bdf67fe6fp-1, 0x1.84ba3004a50d0p-9, -0x1.d9c2ea85a927dp-8, 0x1.60898536e104ap-7,
      -0x1.5eb1c899f0b70p-7, 0x1.d854f73e74c87p-8, -0x1.897719a9d257ep-9, 0x1.88cdc8b807c97p-12,
      0x1.b325a11c1f45ap-12, -0x1.381548f692740p-12, 0x1.2b1fd05559d5ap-14,
      // node 40
      0x1.ffcaa8f4c9beap-1, 0x1.1d83170fbf6fbp-9, -0x1.64e3dcd3af4bap-8, 0x1.119da0c46ccb1p-7,
      -0x1.1a89b97ceac69p-7, 0x1.90e81283faacep-8, -0x1.6ecdbf67c97f8p-9, 0x1.1c610bcb9f2f4p-11,
      0x1.11551df364bafp-12, -0x1.067178c82ec16p-12, 0x1.4a84485ac08c0p-14,
      // node 41
      0x1.ffd9f78c7524ap-1, 0x1.a024365f771bdp-10, -0x1.0a9732d5284ddp-8, 0x1.a4bf47a43042ap-8,
      -0x1.c23802d8a5bb7p-8, 0x1.4f40070668329p-8, -0x1.4c9a2c9dccd04p-9, 0x1.4f7a50b5bc019p-11,
      0x1.18b04eb90c73ap-13, -0x1.a4c3880c0ea6ap-13, 0x1.4b7b82a86e254p-14,
      // node 42
      0x1.ffe514bbdc197p-1, 0x1.2ce898809244ep-10, -0x1.8af14828bffa7p-9, 0x1.407fbd18f1201p-8,
      -0x1.62d4c6d49c7b0p-8, 0x1.146c4b3e28c45p-8, -0x1.267f3bc3eb5a4p-9, 0x1.64f891b0c9bd5p-11,
      0x1.229ef0be9e918p-15, -0x1.4006bb88db24fp-13, 0x1.3631d47d55298p-14,
      // node 43
      0x1.ffed167b12ac2p-1, 0x1.afc85e0f82e12p-11, -0x1.221a9f326bef4p-9, 0x1.e3c9aab90bcf4p-9,
      -0x1.14b1b98141f21p-8, 0x1.c1c19b9e63d70p-9, -0x1.feac3dbeb5124p-10, 0x1.63e88178b0e49p-11,
      -0x1.4441c86c93f7ap-15, -0x1.c8ceebc5fc50cp-14, 0x1.125b77a79fcb6p-14,
      // node 44
      0x1.fff2cfb0453d9p-1, 0x1.3360ccd23db3ap-11, -0x1.a6a519a114d70p-10, 0x1.69cf466ccdf62p-9,
      -0x1.ab0c273ac263ep-9, 0x1.6935960664d74p-9, -0x1.b2755bfd73556p-10, 0x1.52b6263f0c0e7p-11,
      -0x1.7557726380065p-14, -0x1.2abb3cb37d67fp-14, 0x1.cd592454e7d28p-15,
      // node 45
      0x1.fff6dee89352ep-1, 0x1.b23a5a23e4210p-12, -0x1.315107613c673p-10, 0x1.0c243329a9ca1p-9,
      -0x1.4630116262084p-9, 0x1.1e84d1022e8cbp-9, -0x1.6b41872716325p-10, 0x1.36edde582b265p-11,
      -0x1.f7870ebc38e66p-14, -0x1.51ecfdc37801ep-15, 0x1.711d817e07bc3p-15,
      // node 46
      0x1.fff9ba420e834p-1, 0x1.30538fbb77ecdp-12, -0x1.b5781e9d7c647p-11, 0x1.89e17c074d373p-10,
      -0x1.ed4ac7daea43ep-10, 0x1.c11f27065ca3fp-10, -0x1.2add1ce773e8ep-10, 0x1.151f7854a4982p-11,
      -0x1.1c63ff4200387p-13, -0x1.0ec4b7a0e2922p-16, 0x1.1814499946fc1p-15,
      // node 47
      0x1.fffbb8f1049c6p-1, 0x1.a740684026555p-13, -0x1.36d34c8f1c26ap-11, 0x1.1eb6e14974a25p-10,
      -0x1.714eb8cc0947fp-10, 0x1.5bec08c01b1d7p-10, -0x1.e4621d82dad12p-11, 0x1.e1b7b564b0e79p-12,
      -0x1.24564b69716a0p-13, 0x1.bf8e3b47f3cc9p-20, 0x1.8f55a9be0e03dp-16,
      // node 48
      0x1.fffd1ac4135f9p-1, 0x1.2408e9ba3327fp-13, -0x1.b60d5e974cbbep-12, 0x1.9db74b1d1dcdep-11,
      -0x1.11c85b1e8ff57p-10, 0x1.0a7b5546b5147p-10, -0x1.82f235b05094ep-11, 0x1.998b47c657967p-12,
      -0x1.1aa5e236f52b3p-13, 0x1.d2a33c9487ebdp-17, 0x1.05ff38163998dp-16,
      // node 49
      0x1.fffe0e0140857p-1, 0x1.8fdc1b2dcf7b9p-14, -0x1.322484cf12daap-12, 0x1.27dc1bc6cfef5p-11,
      -0x1.9202f465eb421p-11, 0x1.93b4c9746835fp-11, -0x1.30e9e6142fe9bp-11, 0x1.555b9d5fb4825p-12,
      -0x1.055983c4ac7abp-13, 0x1.68e6c75a5d068p-16, 0x1.2d4a50d2829b7p-17,
      // node 50
      0x1.fffeb3ebb267bp-1, 0x1.0f9e1b4dd36dfp-14, -0x1.a8670aa99a5bcp-13, 0x1.a3737e2a2f2bcp-12,
      -0x1.24544f02d2a7ep-11, 0x1.2e7e763d3371bp-11, -0x1.da496e53546cfp-12, 0x1.176cf6641d8cap-12,
      -0x1.d2ac6c8cdd1ebp-14, 0x1.aafdbd335f9fcp-16, 0x1.03f2f284de14cp-18,
      // node 51
      0x1.ffff2436a21dcp-1, 0x1.6e2367dc27f95p-15, -0x1.23c436c36fdabp-13, 0x1.26bf00867a835p-12,
      -0x1.a51fb50b15f22p-12, 0x1.c0825378fda08p-12, -0x1.6c3dbfe0cbe4ap-12, 0x1.c1dd1438378dfp-13,
      -0x1.94c36a9d7c0f6p-14, 0x1.bf0aab116ca42p-16, 0x1.6bdbd2f94d9afp-23,
      // node 52
      0x1.ffff6f9f67e55p-1, 0x1.e9b5e8d00ce77p-16, -0x1.8de3cd290a7c0p-14, 0x1.9aa489e3cad21p-13,
      -0x1.2c7d5ef053eb0p-12, 0x1.490a4d230eab9p-12, -0x1.145464ea2872bp-12, 0x1.647f721c135ebp-13,
      -0x1.567479c97cce7p-14, 0x1.b2c3201a66dd9p-16, -0x1.38933c0f0c9fap-19,
      // node 53
      0x1.ffffa1de8c582p-1, 0x1.44f21e49054f2p-16, -0x1.0d18811478659p-14, 0x1.1b964d438f622p-13,
      -0x1.a8d7851f26bf0p-13, 0x1.ddd6df9b6852dp-13, -0x1.9e52b7aac1644p-13, 0x1.165b2034fcab2p-13,
      -0x1.1b75c33326751p-14, 0x1.91a253c42f4e8p-16, -0x1.020b498059edbp-18,
      // node 54
      0x1.ffffc316d9ed0p-1, 0x1.abe09e9144b5ep-17, -0x1.690585ca91f98p-15, 0x1.84522fe8815bcp-14,
      -0x1.298f8d45f650ap-13, 0x1.577577885f858p-13, -0x1.330aab77d471cp-13, 0x1.ac9997dd049bcp-14,
      -0x1.cc1578b9af656p-15, 0x1.64c530bff5499p-16, -0x1.34f0301aa55b8p-18,
      // node 55
      0x1.ffffd8e1a2f22p-1, 0x1.1783ceac28910p-17, -0x1.e06a8b37e5b93p-16, 0x1.07978c7b8496bp-14,
      -0x1.9d039884f8be5p-14, 0x1.e8d1145e94a54p-14, -0x1.c1f7251172a87p-14, 0x1.458b9e0854d68p-14,
      -0x1.6eb05572453f5p-15, 0x1.33045cf65279ep-16, -0x1.42c8adf1cd1fdp-18,
      // node 56
      0x1.ffffe710d565ep-1, 0x1.6a597219a93dap-18, -0x1.3d0e43d67415ep-16, 0x1.62ccea63cb0c5p-15,
      -0x1.1c07721ac7fe5p-14, 0x1.586bafc9b9889p-14, -0x1.46153fb989863p-14, 0x1.e827fafaa2516p-15,
      -0x1.1f6304de1316ep-15, 0x1.013525f7fb03fp-16, -0x1.377413bec5d3bp-18,
      // node 57
      0x1.fffff039f9e8fp-1, 0x1.d21397ead99cbp-19, -0x1.9f19734d29cf9p-17, 0x1.d982bd41d8954p-16,
      -0x1.8320fc4836be5p-15, 0x1.e0a1cb1d071f3p-15, -0x1.d384223047b9cp-15, 0x1.696daf6422bd4p-15,
      -0x1.bb6e2d311a919p-16, 0x1.a4fcb0ea87efbp-17, -0x1.1c940c531c53bp-18,
      // node 58
      0x1.fffff618c3da6p-1, 0x1.296a70f414053p-19, -0x1.0d88765d3224bp-17, 0x1.394b1fa67116dp-16,
      -0x1.05760ad1bcf9ap-15, 0x1.4c1fe48a5aa68p-15, -0x1.4b98203383ad1p-15, 0x1.085c0f8220827p-15,
      -0x1.510a3c05c70ffp-16, 0x1.516554a419344p-17, -0x1.f31a25c84a6cfp-19,
      // node 59
      0x1.fffff9d446cccp-1, 0x1.789fb715aae95p-20, -0x1.5b333cc7f98f1p-18, 0x1.9b12fdbf90f62p-17,
      -0x1.5e06923144d70p-16, 0x1.c6a071925631dp-16, -0x1.d178cb0388a82p-16, 0x1.7e29d33ac92b6p-16,
      -0x1.f9203429ba9ffp-17, 0x1.094dadeee395cp-17, -0x1.a771cf3589991p-19,
      // node 60
      0x1.fffffc2f171e3p-1, 0x1.d9371e2ff7c35p-21, -0x1.bba3ac4cf8472p-19, 0x1.0b6a7b0f1b586p-17,
      -0x1.d06f586093ea7p-17, 0x1.3436bc9fc46f6p-16, -0x1.4357b5546e9f3p-16, 0x1.110de49c0acd0p-16,
      -0x1.7566beee1bb2fp-17, 0x1.99f5c54c5ea75p-18, -0x1.5d6903bb02d10p-19,
      // node 61
      0x1.fffffda86faa9p-1, 0x1.26f9df8519bd7p-21, -0x1.1926290adc888p-19, 0x1.5900c02d97304p-18,
      -0x1.3166de6a8c640p-17, 0x1.9dfcc328729e0p-17, -0x1.bcab1ed5ec38dp-17, 0x1.81cd74a57ce17p-17,
      -0x1.106e95b6bf43dp-17, 0x1.379625a71385fp-18, -0x1.1970a5b67012cp-19,
      // node 62
      0x1.fffffe92ced93p-1, 0x1.6ce1aa3fd7bddp-22, -0x1.617a9cedd8ffep-20, 0x1.b95fa39b39f7fp-19,
      -0x1.8e1fc41538bd9p-18, 0x1.137172180139ep-17, -0x1.2eb290b1828d4p-17, 0x1.0d8c35cb01026p-17,
      -0x1.88856a366325dp-18, 0x1.d25c45f8a9f83p-19, -0x1.bbbb8753a480dp-20,
      // node 63
      0x1.ffffff233ee1dp-1, 0x1.bfd7555a3bd68p-23, -0x1.b8d7f804d2e73p-21, 0x1.17f93e5149289p-19,
      -0x1.013b0457d08fap-18, 0x1.6b245d7e1d829p-18, -0x1.98077548c6950p-18, 0x1.7492048ab3cebp-18,
      -0x1.17506c7b39df8p-18, 0x1.57e94a4c5f5a5p-19, -0x1.5709711f3cabcp-20,
      // node 64
      0x1.ffffff7b91176p-1, 0x1.10b1488aeb235p-23, -0x1.10b1488aeb235p-21, 0x1.603a5308c50dap-20,
      -0x1.4980e25286cabp-19, 0x1.da5f10dc53b57p-19, -0x1.10505376d0801p-18, 0x1.fd7c656d671e1p-19,
      -0x1.88c7af5f0dc2ap-19, 0x1.f42465a91b073p-20, -0x1.0475684ebb659p-20,
  };
  // clang-format on
  return kRows[node * (kErfDegree + 1) + power];
}

}  // namespace touchstone::binary64
